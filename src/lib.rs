//! # Bulk import for Amazon Connect
//!
//! A CSV dropped into an S3 bucket brings every user that it names to the proficiencies, or the settings per channel, that
//! it says, at the pace that the account's quotas allow, and a report accounts for every row.
//!
//! ## The house, in the order in which data flows
//!
//! ```text
//!  event ──> handler ──> import ──> input ──> kind ──> connect        a row, from the file to the instance
//!                          │                   │
//!                          ├──> state          └──> outcome ──> report ──> publish ──> store
//!                          └──> journal
//! ```
//!
//! - [`config`] reads the settings, once; [`event`] says what is to be imported because of what came in.
//! - [`handler`] is the only file that knows `lambda_runtime`: it serves deliveries, one import after another.
//! - [`import`] is the story of one import; [`begin`] finds the object that is meant, [`state`] is what decides the import for
//!   all its deliveries and which of them has it, and [`journal`] what it did and is about to do, so that the next delivery
//!   goes on where this one ends or dies.
//! - [`input`] turns bytes into records; [`kind`] knows what a row means, what calls it takes and makes them: the story knows
//!   a kind of file only as a [`kind::Kind`]; [`users`] and [`attributes`] translate names, and [`near`] guesses what was meant.
//! - [`outcome`] is what became of a row; [`report`] writes it as bytes and [`publish`] as objects.
//! - [`connect`], [`store`] and [`queue`] are the services in our words: the only files that know the AWS SDK.
//!
//! ## What holds everywhere
//!
//! - What is pure is not async and knows no service: `event`, `input`, `near`, `outcome`, `report`, the guards of an import,
//!   and of each kind the row and the plan.
//! - Nothing above [`kind`] knows what a row is about, and nothing below [`import`] whether an import is a dry run.
//! - Adapters know no rules. Which failure is tried again is said in one table (`connect/error.rs`) and done in one place
//!   (`connect/lane.rs`).
//! - A list that was not read to its end is an error, never a short list.
//! - Nothing is spawned: all that an import does lives in one future, and ends when that is dropped. Lambda freezes a
//!   process between invocations, and a task that was left would wake in the next one. (So nothing here need be `Send`.)
//! - No row is held as text: [`input::Interner`] keeps each name once, and the file is read a second time for the report.
//! - Time is tokio's; the wall clock is read once per delivery.

pub mod kind;
pub mod resolve;
pub mod report;
pub mod connect;
pub mod store;
pub mod input;
pub mod options;
pub mod outcome;
pub mod settings;
