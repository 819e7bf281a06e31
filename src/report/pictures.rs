//! The pictures of `report.html`, as numbers for the template: inline SVG that is at rest. Each has words that say the same. Pure.

use std::collections::BTreeMap;

use super::text::{counted, grouped};
use crate::connect::{Calls, Operation, Rate, Rates, Timeline};

/// The picture's room, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 40.0;

/// One operation's calls over the time of an import, against its quota.
#[derive(Debug)]
pub(super) struct OperationPicture {
    pub(super) name: String,
    pub(super) words: String,
    pub(super) bars: Vec<SliceBar>,
    pub(super) quota_y: String,
}

/// The calls of one slice.
#[derive(Debug)]
pub(super) struct SliceBar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
}

/// The pictures of all operations that were called.
pub(super) fn operations(timeline: &Timeline, rates: &Rates, calls: &BTreeMap<String, Calls>) -> Vec<OperationPicture> {
    let picture = |(name, slices): (&str, &[u32])| {
        let quota = rates.of(Operation::from_name(name)?);
        Some(picture(name, slices, timeline, quota, calls.get(name).copied().unwrap_or_default()))
    };
    timeline.calls().filter_map(picture).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a picture")]
fn picture(name: &str, slices: &[u32], timeline: &Timeline, quota: Rate, calls: Calls) -> OperationPicture {
    let seconds = timeline.slice_seconds() as f64;
    let rate = |calls: u32| f64::from(calls) / seconds;
    let top = slices.iter().map(|calls| rate(*calls)).fold(quota.per_second, f64::max) * 1.1;
    let (step, number) = (WIDTH / timeline.n_slices().max(1) as f64, |number: f64| format!("{number:.1}"));
    let bar = |(slice, calls): (usize, &u32)| {
        let height = rate(*calls) / top * HEIGHT;
        let x = slice as f64 * step;
        let (width, y) = (number((step - 0.5).max(0.5)), number(HEIGHT - height));
        (*calls > 0).then(|| SliceBar { x: number(x), y, width, height: number(height) })
    };
    OperationPicture {
        name: name.to_owned(),
        words: words(slices, seconds, quota, calls),
        bars: slices.iter().enumerate().filter_map(bar).collect(),
        quota_y: number(HEIGHT - quota.per_second / top * HEIGHT),
    }
}

/// `1,200 calls, in the fullest bar 1.9 a second. The quota is 2 a second and 5 at once. None was refused as too fast.`
fn words(slices: &[u32], seconds: f64, quota: Rate, calls: Calls) -> String {
    let most = slices.iter().copied().max().unwrap_or(0);
    let throttled = match calls.throttled {
        0 => "None was".to_owned(),
        1 => "1 was".to_owned(),
        n => format!("{} were", grouped(n)),
    };
    format!(
        "{}, in the fullest bar {:.1} a second. The quota is {} a second and {} at once. {throttled} refused as too fast.",
        counted(calls.attempts, "call"),
        f64::from(most) / seconds,
        quota.per_second,
        quota.burst
    )
}
