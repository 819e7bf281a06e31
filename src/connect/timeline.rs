//! How often operations were called over the time of an import, for a picture of it: in at most 120 equal slices, however long
//! it takes. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Slices of a timeline.
const MAX_SLICES: usize = 120;

/// Calls by operation and slice, from the beginning of the import on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of a slice: a power of two.
    slice_seconds: u64,
    /// By the operation's name.
    calls: BTreeMap<String, Vec<u32>>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { slice_seconds: 1, calls: BTreeMap::new() }
    }
}

impl Timeline {
    /// Counts a call, so long after the import began.
    pub(crate) fn record(&mut self, operation: &str, at: Duration) {
        let slice = loop {
            match usize::try_from(at.as_secs() / self.slice_seconds) {
                Ok(slice) if slice < MAX_SLICES => break slice,
                _ => self.coarsen(),
            }
        };
        let slices = match self.calls.get_mut(operation) {
            Some(slices) => slices,
            None => self.calls.entry(operation.to_owned()).or_default(),
        };
        slices.resize(slices.len().max(slice + 1), 0);
        slices[slice] += 1;
    }

    /// Adds what another delivery of the import called.
    pub(crate) fn absorb(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.slice_seconds < other.slice_seconds {
            self.coarsen();
        }
        while other.slice_seconds < self.slice_seconds {
            other.coarsen();
        }
        for (operation, calls) in other.calls {
            let slices = self.calls.entry(operation).or_default();
            slices.resize(slices.len().max(calls.len()), 0);
            for (sum, calls) in slices.iter_mut().zip(calls) {
                *sum += calls;
            }
        }
    }

    fn coarsen(&mut self) {
        self.slice_seconds *= 2;
        for slices in self.calls.values_mut() {
            *slices = slices.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
    }

    /// The length of a slice.
    pub(crate) fn slice_seconds(&self) -> u64 {
        self.slice_seconds
    }

    /// Calls by slice, of each operation that was called.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&str, &[u32])> {
        self.calls.iter().map(|(operation, slices)| (operation.as_str(), slices.as_slice()))
    }

    /// How many slices there are calls in, the last of any operation counted.
    pub(crate) fn n_slices(&self) -> usize {
        self.calls.values().map(Vec::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(calls: &[(u64, &str)]) -> Timeline {
        let mut timeline = Timeline::default();
        for (second, operation) in calls {
            timeline.record(operation, Duration::from_secs(*second));
        }
        timeline
    }

    #[test]
    fn there_are_never_more_than_120_slices_and_no_call_is_lost() {
        let every_second = |seconds: u64| of(&(0..seconds).map(|second| (second, "ListUsers")).collect::<Vec<_>>());
        for (seconds, slice_seconds, n_slices) in
            [(1, 1, 1), (120, 1, 120), (121, 2, 61), (900, 8, 113), (86_400, 1024, 85)]
        {
            let timeline = every_second(seconds);
            assert_eq!((timeline.slice_seconds(), timeline.n_slices()), (slice_seconds, n_slices), "{seconds} s");
            let (_, calls) = timeline.calls().next().unwrap();
            assert_eq!(calls.iter().map(|calls| u64::from(*calls)).sum::<u64>(), seconds);
        }
    }

    #[test]
    fn deliveries_add_up_whatever_their_slices() {
        let (first, second) = ([(0, "A"), (3, "A"), (3, "B")], [(500, "A"), (501, "C")]);
        let whole = of(&[first.as_slice(), &second].concat());
        let (mut one, mut other) = (of(&first), of(&second));
        one.absorb(&of(&second));
        other.absorb(&of(&first));
        assert_eq!((&one, &other), (&whole, &whole));
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Timeline>(&json).unwrap(), whole);
    }
}
