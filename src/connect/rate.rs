//! How fast: a token bucket at the quota's rate and burst, and in front of it a spacing that throttles widen and
//! successes narrow.
//!
//! The bucket is `governor`'s. It is asked with `check` and waited for on tokio's clock, so that tests run in virtual time.
//! Its quota cannot change, and a new one starts full; hence the spacing for a rate below the configured one.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// A quota: requests a second, and requests at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests a second, more than 0.
    pub per_second: f64,
    /// The bucket's size: requests that may go at once after a rest.
    pub burst: NonZeroU32,
}

/// The least whole number that is not less, and 1 at least.
pub(super) fn at_least_one(number: f64) -> NonZeroU32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range first")]
    let whole = number.ceil().clamp(1.0, f64::from(u32::MAX)) as u32;
    NonZeroU32::new(whole).unwrap_or(NonZeroU32::MIN)
}

/// tokio's clock for governor, as the time since the bucket was made.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Calls do not take the same time to the service, so one that goes when its token is due may come before its token there. Waits
/// are longer by so much, or by half of what the bucket can make up for: the rate stays as it is.
const MARGIN: Duration = Duration::from_millis(10);

/// A token bucket: `governor`'s, on tokio's clock.
#[derive(Debug)]
pub(super) struct TokenBucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    margin: Duration,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate) -> Self {
        let clock = TokioClock(Instant::now());
        let period = Duration::from_secs_f64(1.0 / rate.per_second).max(Duration::from_nanos(1));
        // `with_period` fails for a period of zero only.
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX));
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(rate.burst), clock);
        Self { limiter, clock, margin: MARGIN.min(period * (rate.burst.get() - 1) / 2) }
    }

    /// Takes a token, or says how long until there is one.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|until| until.wait_time_from(self.clock.now()) + self.margin)
    }

    /// Takes all that is in it: an earlier delivery may have used the burst a moment ago.
    pub(super) fn drain(&self) {
        while self.limiter.check().is_ok() {}
    }
}

/// A bucket and the line in front of it. tokio's mutex is fair: who comes first goes first.
#[derive(Debug)]
pub(super) struct FairBucket {
    line: Mutex<()>,
    bucket: RefCell<TokenBucket>,
}

impl FairBucket {
    /// A full bucket without a line.
    pub(super) fn new(rate: Rate) -> Self {
        Self { line: Mutex::new(()), bucket: RefCell::new(TokenBucket::new(rate)) }
    }

    /// Puts a full bucket of another rate in the place of this one. The line stays.
    pub(super) fn replace(&self, rate: Rate) {
        self.bucket.replace(TokenBucket::new(rate));
    }

    /// Waits for its place in the line and for a token.
    pub(super) async fn acquire(&self) {
        let _first_in_line = self.stand_in_line().await;
        while let Err(wait) = self.take() {
            sleep(wait).await;
        }
    }

    /// Waits until nobody is in front. Others wait for as long as the guard lives.
    pub(super) async fn stand_in_line(&self) -> MutexGuard<'_, ()> {
        self.line.lock().await
    }

    /// See [`TokenBucket::take`].
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.bucket.borrow().take()
    }

    /// See [`TokenBucket::drain`].
    pub(super) fn drain(&self) {
        self.bucket.borrow().drain();
    }
}

/// The share of the rate that a throttle leaves.
const LOWERED: f64 = 0.75;
/// The rate never falls below this share of the configured one: others who use the quota do not use it for ever.
const LOWEST: f64 = 1.0 / 32.0;
/// Each success gives back this share of the configured rate, until the rate is near the one that was throttled.
const RECOVERY: f64 = 0.05;
/// From there each success in a row gives back a larger share than the one before: small steps near the limit, large ones
/// once the limit is gone.
const PROBING: f64 = 0.001;
/// Near: at least this share of the rate that was throttled.
const NEAR: f64 = 0.95;

/// The spacing in front of a bucket. At the configured rate it does nothing.
#[derive(Debug)]
pub(super) struct AdaptiveRate {
    configured: f64,
    rate: f64,
    throttled_at_rate: f64,
    successes_in_a_row: u32,
    lowered_at: Option<Instant>,
    last_sent: Option<Instant>,
}

impl AdaptiveRate {
    /// The configured rate.
    pub(super) fn new(per_second: f64) -> Self {
        Self {
            configured: per_second,
            rate: per_second,
            throttled_at_rate: per_second,
            successes_in_a_row: 0,
            lowered_at: None,
            last_sent: None,
        }
    }

    /// When the next call may go, if not at once.
    pub(super) fn not_before(&self) -> Option<Instant> {
        let spaced = self.rate < self.configured;
        self.last_sent.filter(|_| spaced).map(|last| last + Duration::from_secs_f64(1.0 / self.rate))
    }

    /// A call goes now.
    pub(super) fn sent(&mut self) {
        self.last_sent = Some(Instant::now());
    }

    /// A call that went at `sent` was throttled. Calls that were under way together lower the rate once.
    pub(super) fn throttled(&mut self, sent: Instant) {
        self.successes_in_a_row = 0;
        if self.lowered_at.is_none_or(|lowered| sent > lowered) {
            self.throttled_at_rate = self.rate;
            self.rate = (self.rate * LOWERED).max(self.configured * LOWEST);
            self.lowered_at = Some(Instant::now());
        }
    }

    /// A call was let through.
    pub(super) fn succeeded(&mut self) {
        if self.rate < self.configured {
            let step = if self.rate < self.throttled_at_rate * NEAR {
                RECOVERY
            } else {
                self.successes_in_a_row += 1;
                PROBING * f64::from(self.successes_in_a_row)
            };
            self.rate = (self.rate + self.configured * step).min(self.configured);
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these rates are exact in binary")]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: NonZeroU32::new(5).unwrap() };

    async fn sent_within(bucket: &TokenBucket, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut sent = 0;
        loop {
            match bucket.take() {
                Ok(()) => sent += 1,
                Err(wait) if Instant::now() + wait > end => return sent,
                Err(wait) => sleep(wait).await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_and_then_its_rate() {
        let bucket = TokenBucket::new(RATE);
        assert_eq!(sent_within(&bucket, Duration::ZERO).await, 5);
        assert_eq!(sent_within(&bucket, Duration::from_secs(10) + MARGIN).await, 20);
        // The margin is lost once, and not with each token.
        assert_eq!(sent_within(&bucket, Duration::from_secs(1000)).await, 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drained_bucket_fills_at_its_rate() {
        let bucket = TokenBucket::new(RATE);
        bucket.drain();
        tokio::time::advance(Duration::from_millis(499)).await;
        assert_eq!(bucket.take(), Err(Duration::from_millis(1) + MARGIN));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(bucket.take(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_holds_one_token_loses_nothing_to_the_margin() {
        let bucket = TokenBucket::new(Rate { per_second: 2.0, burst: NonZeroU32::MIN });
        assert_eq!(sent_within(&bucket, Duration::from_secs(1000)).await, 2001);
    }

    #[tokio::test(start_paused = true)]
    async fn throttles_of_calls_under_way_together_lower_the_rate_once() {
        let mut rate = AdaptiveRate::new(2.0);
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(80)).await;
        rate.throttled(sent);
        rate.throttled(sent);
        assert_eq!(rate.rate, 1.5);
        tokio::time::advance(Duration::from_millis(80)).await;
        rate.throttled(Instant::now());
        assert_eq!(rate.rate, 1.125);
    }

    #[tokio::test(start_paused = true)]
    async fn success_brings_the_configured_rate_back() {
        let mut rate = AdaptiveRate::new(2.0);
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            rate.throttled(Instant::now());
        }
        assert_eq!(rate.rate, 2.0 * LOWEST);
        let successes = (1..1000).find(|_| {
            rate.succeeded();
            rate.rate == rate.configured
        });
        assert_eq!(successes, Some(44));
        rate.sent();
        assert_eq!(rate.not_before(), None);
    }
}
