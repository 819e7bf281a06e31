//! From the object's bytes to records with line numbers. Pure: nothing here awaits, and nothing knows of Connect.
//!
//! The object arrives in pieces whose borders fall anywhere. [`Reader`] takes them one after another, finds delimiter and
//! header, and hands on each record; it holds one record at a time, never the file.

mod cell;
mod header;
mod names;
mod reader;
mod records;

use std::borrow::Cow;

pub use cell::{guarded, unguarded};
pub use header::{Column, Header, Schema};
pub use names::{Name, Names};
pub use reader::{Reader, Visit};
pub use records::Record;

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
