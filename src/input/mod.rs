//! From the object's bytes to records with line numbers. Pure: nothing here awaits or knows Connect.
//!
//! The object arrives in pieces that may end anywhere. [`Reader`] takes them one after another and leads them through these
//! stages, each of which holds one piece, one record or one header at most:
//!
//! ```text
//!  bytes ──> unpack ──> decode ──> records ──> table ──> sheet ──> rows
//!            gzip       UTF-8,     cells,      which     one row   each kind
//!              │        UTF-16,    quotes,     column    to many   reads its own
//!              │        Western    lines       is which            (`crate::kind`)
//!              └──────> workbook ────────────────┘
//!                       the first sheet that has a header
//! ```
//!
//! - [`unpack`] unpacks gzip, 64 KiB at a time.
//! - [`decode`] turns bytes of any encoding into text; [`sniff`] refuses files of other kinds by their names.
//! - [`records`] finds the cells of a text, and [`workbook`] those of an Excel workbook, the only stage that needs the whole
//!   file.
//! - [`table`] finds the delimiter and the [`Header`] in the first record, which [`understand`] explains, and hands on each
//!   [`Record`] below it.
//! - [`sheet`] turns a row that holds many skills of a user into a record for each.
//! - [`cell`] says what a cell means; [`interner`] keeps each text once.
//!
//! A file is read twice, once to plan and once to write the report, and both readings must see the same rows. So each stage
//! is a function of the bytes alone (and, of a sheet, of what its headings mean): the ends of the pieces change nothing, and
//! no stage takes back what it handed on.

mod cell;
mod decode;
mod header;
mod interner;
mod reader;
mod record;
mod records;
mod sheet;
mod sniff;
mod table;
mod understand;
mod unpack;
mod workbook;

pub use cell::{
    composed, escape_formula, folded, has_control, has_no_width, is_visible, printable, reads_back, trimmed,
    unescape_formula,
};
pub use decode::Decoder;
pub use header::{Column, Header, Presence, Schema, normal};
pub use interner::{Interner, Symbol};
pub use reader::Reader;
pub use record::{Record, Visit};
pub use sheet::{Heading, Headings, SheetHeader};
pub use unpack::Decompressor;
