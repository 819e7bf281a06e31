//! # Bulk import for Amazon Connect
//!
//! A CSV or an Excel workbook dropped into an S3 bucket brings every user that it names to the proficiencies, or the settings
//! per channel, that it says, at the pace that the account's quotas allow, and a report accounts for every row.
//!
//! ```no_run
//! # async fn example(settings: connect_bulk_import::Settings, connect: connect_bulk_import::Connect,
//! #     store: connect_bulk_import::Store, request: connect_bulk_import::import::request::Request) {
//! use connect_bulk_import::Importer;
//! use connect_bulk_import::import::Deadlines;
//! use connect_bulk_import::import::trigger::Trigger;
//!
//! let importer = Importer::new(settings, connect, store);
//! let answer = importer.run(&Trigger::invoked(request, "an id"), &Deadlines::none(chrono::DateTime::UNIX_EPOCH)).await;
//! # }
//! ```
//!
//! ## The house
//!
//! A room imports only from rooms below it; no file imports one that imports it.
//!
//! ```text
//!  main ── lambda      events in, answers out, ends told (feature "lambda")
//!            │
//!          import      the story of one import: open, load, resume, guard, preview, apply, finish, tell
//!          check       whether imports will work here, asked before the first one
//!    ┌───────┼────────────────────────┐
//!   aws    kind        what a file's rows mean, and the loop that brings a user to them
//!    │       │
//!    │    resolve      names in the file to users, attributes, and what was meant
//!    │       │
//!  settings report    tables, summary and page, as bytes and as objects
//!          state       what an import remembers: its record, its lease, its journal, and users that were seen right
//!            │
//!         connect      Amazon Connect at the pace of its quotas
//!          store       objects in S3
//!          input       bytes to records
//!         options      what decides an import
//!         outcome      what became of a row, a user, an import
//! ```
//!
//! A row walks from `input` (a record with its line) through [`kind`] (what it wants of which user) to the instance behind
//! `connect`, and its [`outcome`] through `report` into the bucket behind `store`. Meanwhile `state` writes ahead what is
//! about to be done, so that the next delivery goes on where this one ends or dies. An export walks the other way: what users
//! have, through [`kind`], into a table that can be dropped.
//!
//! ## What holds everywhere
//!
//! - What is pure is not async and knows no service: [`input`], [`outcome`], the options, the guards, the triggers, the
//!   tables and the page of the report, and of each kind the checks of a row, the plan and the words.
//! - Adapters know no rules: only `aws`, `connect/sdk`, `store/s3`, three files of `lambda` (`queue`, `event_bus`, `topic`) and the
//!   constructor of `Connect` name the AWS SDK. What a failure means is said in `connect/error.rs`, and it is tried again in `connect/lanes.rs`.
//! - The engine knows no Lambda: without the feature `lambda` it builds without its crates.
//! - The end of an import is told to a [`Listener`](import::Listener) after its answer is stored, and at least once.
//! - A list that was not read to its end is an error, never a short list.
//! - Nothing is spawned: all that an import does lives in one future, and ends when that is dropped. Lambda freezes a
//!   process between invocations, and a task that was left would wake in the next one. (So nothing here need be `Send`.)
//! - No row is held as text: [`input::Interner`] keeps each text once, and the file is read a second time for the report.
//!   (Those of a workbook are, while it is read.)
//! - What a row asks for first (`if_level`) is tested against what the user had before the import's first write for it: what an
//!   import writes is never taken for somebody else's work.
//! - Where the file is the whole truth, what a row may name that belongs to nobody is removed from nobody ([`kind::Unassigned`]).
//! - Whoever writes takes the users out of the record of those that were seen right before the first write, and puts in after
//!   the last one only whom it has seen itself since. So a user that is not read is as its rows say, but for what people change.
//! - What a sheet's headings mean is asked once in an import and kept: each delivery reads the same rows.
//! - Time is tokio's; the wall clock is read once per delivery, by the front end.
//!
//! `tests/it/architecture.rs` holds the layers, the crates and the purity to this page.

pub mod aws;
pub mod check;
pub mod import;
pub mod input;
pub mod kind;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod outcome;
pub mod report;
pub mod settings;

mod connect;
mod options;
mod resolve;
mod state;
mod store;

pub use connect::Connect;
pub use import::Importer;
pub use settings::Settings;
pub use state::Answer;
pub use store::Store;
