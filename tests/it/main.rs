//! The whole function, from the event to the report: the real handler and the real SDK clients, against the emulator and
//! an S3 in memory, in virtual time.

#![allow(unreachable_pub, missing_debug_implementations, reason = "nobody outside sees a test")]
#![allow(clippy::disallowed_methods, reason = "a delivery has a deadline by the wall clock")]

mod deliveries;
mod faults;
mod pace;
mod report;
mod rows;
mod world;
