//! What the tests stand on.
//!
//! [`memory_s3`] is an S3 in memory that keeps versions, honours conditions and can be told to fail;
//! [`clients`] wires the real SDK clients to it and to the emulator of Amazon Connect, in this process;
//! [`mod@workbook`] makes Excel workbooks.
//! There is no socket and no timer but tokio's, so everything here works in paused time
//! (`#[tokio::test(start_paused = true)]`).
#![allow(clippy::disallowed_types, reason = "it makes the clients of which the function knows only adapters")]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "parts of a workbook are made here the plain way"
)]

pub mod clients;
pub mod memory_s3;
pub mod workbook;

pub use clients::{connect_client, connect_config, quotas_client, s3_client, s3_config};
pub use memory_s3::{MemoryS3, S3Fault, Stored, Versioning};
