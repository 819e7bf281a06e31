//! From the object's bytes to records with line numbers. Pure: nothing here awaits or knows Connect.
//!
//! The object arrives in pieces that may end anywhere. [`Reader`] takes them one after another and leads them through these
//! stages, each of which holds one piece, one record or one header at most:
//!
//! ```text
//!  bytes ──> unpack ──> decode ──> table ──> records ──> rows
//!            gzip       UTF-8,     which     cells,      each kind
//!                       UTF-16,    column    quotes,     reads its own
//!                       Western    is which  lines       (`crate::kind`)
//! ```
//!
//! - [`unpack`] unpacks gzip, 64 KiB at a time.
//! - [`decode`] turns bytes of any encoding into text; [`sniff`] refuses files of other kinds by their names.
//! - [`table`] finds the delimiter and the [`Header`] in the first record, and hands on each [`Record`] below it that
//!   [`records`] finds.
//! - [`cell`] says what a cell means; [`interner`] keeps each text once.
//!
//! A file is read twice, once to plan and once to write the report, and both readings must see the same rows. So each stage
//! is a function of the bytes alone: the ends of the pieces change nothing, and no stage takes back what it handed on.

mod cell;
mod decode;
mod header;
mod interner;
mod reader;
mod records;
mod sniff;
mod table;
mod unpack;

pub use cell::{composed, escape_formula, has_control, has_no_width, printable, trimmed, unescape_formula};
pub use decode::Decoder;
pub use header::{Column, Header, Presence, Schema};
pub use interner::{Interner, Symbol};
pub use reader::Reader;
pub use records::Record;
pub use table::Visit;
pub use unpack::Decompressor;
