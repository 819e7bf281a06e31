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
//! - [`decode`] turns bytes into text, whatever the encoding; [`foreign`] refuses by name what is no text.
//! - [`table`] finds the delimiter and the [`Header`] in the first record, and hands on each [`Record`] below it that
//!   [`records`] finds.
//! - [`cell`] says what a cell means; [`names`] keeps each text once.
//!
//! A file is read twice, once to plan and once to write the report, and both must see the same rows. So every stage is a
//! function of the bytes alone: where the pieces end changes nothing, and nothing is decided later that would change what
//! was already handed on.

mod cell;
mod decode;
mod foreign;
mod header;
mod names;
mod reader;
mod records;
mod table;
mod unpack;

use std::borrow::Cow;

pub use cell::{guarded, has_control, trimmed, unguarded};
pub use decode::Decoder;
pub use header::{Column, Header, Need, Schema};
pub use names::{Name, Names};
pub use reader::Reader;
pub use records::Record;
pub use table::Visit;
pub use unpack::Unpacker;

/// Why a file is not imported, with a sentence for the person who dropped it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable and machine-readable: `not_csv`, `empty_file`, `missing_column`, ...
    pub code: Cow<'static, str>,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
