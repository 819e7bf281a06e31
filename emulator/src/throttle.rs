//! The service's request quotas: a token bucket for each operation.

use std::{collections::BTreeMap, time::Duration};

use crate::operation::Operation;

/// How much of a token may be missing; it takes up what is lost in rounding.
const TOLERANCE: f64 = 1e-6;

/// How often an operation may be called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Tokens that come back each second.
    pub rate: f64,
    /// Tokens that the bucket holds; it is full at the start.
    pub burst: u32,
}

/// The quota of each operation.
///
/// The default is Connect's documented one for all operations here: 2 requests per second with a
/// burst of 5, each operation having its own bucket (Connect service quotas, "API throttling quotas").
#[derive(Debug, Clone, PartialEq)]
pub struct Quotas {
    default: Option<Quota>,
    by_operation: BTreeMap<Operation, Quota>,
    /// What Service Quotas says otherwise; nothing for a quota that it does not list.
    listed: BTreeMap<Operation, Option<f64>>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self::all(2.0, 5)
    }
}

impl Quotas {
    /// The same quota for each operation.
    pub fn all(rate: f64, burst: u32) -> Self {
        Self { default: Some(Quota { rate, burst }), ..Self::unlimited() }
    }

    /// Nothing is ever throttled.
    pub fn unlimited() -> Self {
        Self { default: None, by_operation: BTreeMap::new(), listed: BTreeMap::new() }
    }

    /// Those of a listing of a real account: reads 10 a second, searches and writes 2, each 5 at once.
    pub fn of_an_account() -> Self {
        let reads = [
            Operation::ListUserProficiencies,
            Operation::ListUsers,
            Operation::DescribePredefinedAttribute,
            Operation::DescribeUser,
        ];
        reads.into_iter().fold(Self::default(), |quotas, read| quotas.with(read, 10.0, 5))
    }

    /// Another quota for one operation.
    #[must_use]
    pub fn with(mut self, operation: Operation, rate: f64, burst: u32) -> Self {
        self.by_operation.insert(operation, Quota { rate, burst });
        self
    }

    /// Service Quotas says otherwise of one operation: another rate, or none at all.
    #[must_use]
    pub fn listed_as(mut self, operation: Operation, rate: Option<f64>) -> Self {
        self.listed.insert(operation, rate);
        self
    }

    /// What Service Quotas says of one operation.
    pub(crate) fn listed(&self, operation: Operation) -> Option<f64> {
        self.listed.get(&operation).copied().unwrap_or_else(|| self.of(operation).map(|quota| quota.rate))
    }

    /// The quota of one operation; `None` if it has no limit.
    pub fn of(&self, operation: Operation) -> Option<Quota> {
        self.by_operation.get(&operation).copied().or(self.default)
    }
}

/// The buckets, filled as the quotas say. Time is counted from the emulator's start.
#[derive(Debug)]
pub(crate) struct Throttle {
    quotas: Quotas,
    buckets: BTreeMap<Operation, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Duration,
}

impl Throttle {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self { quotas, buckets: BTreeMap::new() }
    }

    pub(crate) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Takes a token; false if there is none, which costs nothing.
    pub(crate) fn take(&mut self, operation: Operation, now: Duration) -> bool {
        let Some(quota) = self.quotas.of(operation) else {
            return true;
        };
        let burst = f64::from(quota.burst);
        let bucket = self.buckets.entry(operation).or_insert(Bucket { tokens: burst, filled_at: now });
        let passed = now.saturating_sub(bucket.filled_at).as_secs_f64();
        bucket.tokens = burst.min(bucket.tokens + passed * quota.rate);
        bucket.filled_at = now;
        if bucket.tokens < 1.0 - TOLERANCE {
            return false;
        }
        bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation::{AssociateUserProficiencies, ListUserProficiencies};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate_holds() {
        let mut throttle = Throttle::new(Quotas::all(2.0, 5));
        let mut take = |at| throttle.take(ListUserProficiencies, ms(at));
        assert_eq!([0; 7].map(&mut take), [true, true, true, true, true, false, false]);
        assert_eq!([499, 500, 501, 999, 1000].map(&mut take), [false, true, false, false, true]);
        // A long rest fills the bucket, and no further.
        assert_eq!([60_000; 6].map(&mut take), [true, true, true, true, true, false]);
    }

    #[test]
    fn each_operation_has_its_own_bucket() {
        let quotas = Quotas::all(2.0, 1).with(AssociateUserProficiencies, 10.0, 2);
        let mut throttle = Throttle::new(quotas);
        assert!(throttle.take(ListUserProficiencies, ms(0)));
        assert!(!throttle.take(ListUserProficiencies, ms(0)));
        assert!(throttle.take(AssociateUserProficiencies, ms(0)));
        assert!(throttle.take(AssociateUserProficiencies, ms(0)));
        assert!(!throttle.take(AssociateUserProficiencies, ms(99)));
        assert!(throttle.take(AssociateUserProficiencies, ms(100)));
    }

    #[test]
    fn a_client_that_keeps_to_an_odd_rate_is_never_throttled() {
        let mut throttle = Throttle::new(Quotas::all(3.0, 1));
        for n in 0..10_000_u64 {
            let at = Duration::from_nanos(n * 333_333_333);
            assert!(throttle.take(ListUserProficiencies, at), "call {n}");
        }
    }

    #[test]
    fn without_quotas_nothing_is_throttled() {
        let mut throttle = Throttle::new(Quotas::unlimited());
        assert!((0..1000).all(|_| throttle.take(ListUserProficiencies, ms(0))));
    }
}
