//! From the object's bytes to records with line numbers. Pure: nothing here awaits, and nothing knows of Connect.
//!
//! The object arrives in pieces whose borders fall anywhere. [`Reader`] takes them one after another and leads them
//! through these stages, none of which holds more than a piece, a record or a header of it:
//!
//! ```text
//!  bytes ──> unpack ──> decode ──> table ──> records ──> rows
//!            gzip       UTF-8,     which     cells,      what each kind
//!                       UTF-16,    column    quotes,     makes of them
//!                       Western    is which  lines       (`crate::kind`)
//! ```
//!
//! - [`unpack`] unpacks gzip, 64 KiB at a time.
//! - [`decode`] turns bytes into text, whatever the encoding; [`sniff`] refuses by name what is no text.
//! - [`table`] finds the delimiter and the [`Header`] in the first record, and hands on each [`Record`] below it that
//!   [`records`] finds.
//! - [`cell`] says what a cell means; [`interner`] keeps each text once.
//!
//! A file is read twice, once to plan and once to write the report, and both must see the same rows. So every stage is a
//! function of the bytes alone: where the pieces end changes nothing, and nothing is decided later that would change what
//! was already handed on.

mod cell;
mod decode;
mod header;
mod interner;
mod reader;
mod records;
mod sniff;
mod table;
mod unpack;

pub use cell::{escape_formula, has_control, trimmed, unescape_formula};
pub use decode::Decoder;
pub use header::{Column, Header, Presence, Schema};
pub use interner::{Symbol, Interner};
pub use reader::Reader;
pub use records::Record;
pub use table::Visit;
pub use unpack::Decompressor;
