//! The log: lines of JSON on the standard output, each with its `timestamp` and `level`. Without these Lambda's own level filter
//! takes every line for INFO, and the default subscriber of `lambda_runtime` writes no time.

use std::fmt;
use std::io::Write;

use json_subscriber::JsonLayer;
use tracing::{Level, Subscriber, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Where lines go that the log does not write itself.
pub struct Lines(Box<dyn Fn(&str)>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl Lines {
    /// Lines into what this makes.
    pub fn new(writer: impl for<'w> MakeWriter<'w> + 'static) -> Self {
        // Who cannot even log cannot tell that either.
        Self(Box::new(move |line| drop(writeln!(writer.make_writer(), "{line}"))))
    }

    /// Writes a line.
    pub(super) fn print(&self, line: &str) {
        (self.0)(line);
    }
}

/// Logs from now on what the filter lets pass, in the form of `tracing`'s targets: `warn`, or `warn,connect_bulk_import=debug`.
pub fn init(filter: &str) {
    subscriber(filter, std::io::stdout).init();
    if targets(filter).is_none() {
        warn!("RUST_LOG is '{filter}', which lets no line of this function pass: INFO is logged");
    }
}

/// The subscriber of a filter and a writer; of INFO, if the filter cannot be followed.
pub fn subscriber(
    filter: &str,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let mut json = JsonLayer::new(writer);
    json.with_timer("timestamp", SystemTime);
    json.with_level("level");
    json.with_target("target");
    json.with_flattened_event();
    // The import's id, and what the runtime knows of the invocation.
    json.with_top_level_flattened_span_list();
    // A filter of all layers, so that `enabled!` knows it, too.
    let filter = targets(filter).unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(filter).with(json)
}

/// The filter, unless it cannot be read, or lets nothing of ours pass: a level that is misspelt (`inof`) reads as the name of
/// a target, and would silence all others.
fn targets(filter: &str) -> Option<Targets> {
    let is_off = filter.trim().eq_ignore_ascii_case("off");
    filter
        .parse()
        .ok()
        .filter(|targets: &Targets| is_off || targets.would_enable(env!("CARGO_CRATE_NAME"), &Level::ERROR))
}
