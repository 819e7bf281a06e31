//! The whole function, from the event to the report: the real handler and the real SDK clients, against the emulator and
//! an S3 in memory, in virtual time.

#![allow(unreachable_pub, missing_debug_implementations, reason = "nobody outside sees a test")]
#![allow(clippy::disallowed_methods, reason = "a delivery has a deadline by the wall clock")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "files are made here the plain way")]
#![allow(clippy::needless_raw_string_hashes, reason = "expect_test writes them so")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]
#![allow(clippy::cast_precision_loss, reason = "small numbers")]
#![allow(clippy::disallowed_types, reason = "the function is wired here as in main")]

mod architecture;
mod channels;
mod check;
mod conditions;
mod deliveries;
mod endings;
mod export;
mod export_laws;
mod faults;
mod files;
mod headings;
mod journal;
mod laws;
mod pace;
mod page;
mod plan_laws;
mod plans;
mod quotas;
mod readme;
mod recheck;
mod recheck_laws;
mod replace;
mod report;
mod rows;
mod services;
mod sheet_laws;
mod sheets;
mod takeover;
mod telling;
mod unassigned;
mod workbooks;
mod world;
