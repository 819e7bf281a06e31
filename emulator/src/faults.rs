//! What goes wrong, as data: which call, when, and how.

use std::{fmt, time::Duration};

use fastrand::Rng;
use serde::{Deserialize, Deserializer};

use crate::operation::Operation;

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Throttled, whatever the bucket holds.
    Throttle,
    /// `InternalServiceException`, 500; the work is not done.
    InternalError,
    /// 503 with neither a body nor an error type, as from a load balancer; the work is not done.
    Bare503,
    /// The connection breaks before the work is done.
    CutBefore,
    /// The work is done, then the connection breaks before an answer.
    CutAfter,
    /// The work is done at once, and the answer comes this much later. Seconds in a file.
    Slow(#[serde(deserialize_with = "seconds")] Duration),
    /// `AccessDeniedException`, 403, as from IAM; the work is not done.
    AccessDenied,
    /// Any error answer.
    Custom {
        /// The HTTP status.
        status: u16,
        /// The name of the exception.
        code: String,
        /// The text that goes with it.
        #[serde(default)]
        message: String,
        /// Whether the work is done all the same.
        #[serde(default)]
        work_done: bool,
    },
}

/// Which of the calls that a rule is about go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Every call.
    #[default]
    Always,
    /// This one call, counted from 1.
    Nth(u64),
    /// So many calls from the first on.
    First(u64),
    /// Every call between two times since the emulator's start; the second is not within. Seconds in a file.
    Between {
        /// The first instant.
        #[serde(deserialize_with = "seconds")]
        from: Duration,
        /// The first instant after.
        #[serde(deserialize_with = "seconds")]
        to: Duration,
    },
    /// Each call with this probability, 0 to 1.
    Random(f64),
}

/// One thing that goes wrong: a [`Fault`], and the calls that it befalls.
///
/// ```
/// use connect_emulator::{Fault, Operation, Rule};
///
/// let third_write_of_jdoe_breaks = Rule::new(Fault::CutAfter)
///     .on(Operation::AssociateUserProficiencies)
///     .of_user("jdoes-id")
///     .nth(3);
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    operation: Option<Operation>,
    user: Option<String>,
    #[serde(default)]
    with_token: bool,
    #[serde(default)]
    when: When,
    fault: Fault,
}

impl Rule {
    /// A fault of every call of every operation.
    pub fn new(fault: Fault) -> Self {
        Self { operation: None, user: None, with_token: false, when: When::Always, fault }
    }

    /// The refusal, 400 with this exception, of the token in every call that has one.
    ///
    /// It looks as if the token had expired, so that a client has to list anew:
    ///
    /// ```
    /// use connect_emulator::{Operation, Rule};
    ///
    /// let first_token = Rule::token_refused("InvalidParameterException").on(Operation::ListUsers).nth(1);
    /// ```
    pub fn token_refused(code: impl Into<String>) -> Self {
        let message = "The NextToken is not valid.".to_owned();
        Self::new(Fault::Custom { status: 400, code: code.into(), message, work_done: false }).with_token()
    }

    /// Only calls of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only calls about the user with this id.
    #[must_use]
    pub fn of_user(mut self, id: impl Into<String>) -> Self {
        self.user = Some(id.into());
        self
    }

    /// Only calls that have a page token: those for the pages of a listing after its first.
    #[must_use]
    pub fn with_token(mut self) -> Self {
        self.with_token = true;
        self
    }

    /// Only the n-th of the calls, counted from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.when(When::Nth(n))
    }

    /// Only the first n of the calls.
    #[must_use]
    pub fn first(self, n: u64) -> Self {
        self.when(When::First(n))
    }

    /// Only calls between two times since the emulator's start.
    #[must_use]
    pub fn between(self, from: Duration, to: Duration) -> Self {
        self.when(When::Between { from, to })
    }

    /// Each of the calls with this probability, 0 to 1.
    #[must_use]
    pub fn randomly(self, probability: f64) -> Self {
        self.when(When::Random(probability))
    }

    /// Only the calls that this says.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    fn is_about(&self, asked: Asked<'_>) -> bool {
        self.operation.is_none_or(|ours| ours == asked.operation)
            && (self.user.is_none() || self.user.as_deref() == asked.user)
            && (asked.has_token || !self.with_token)
    }
}

/// What rules look at in a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: Operation,
    /// The id of the user that the call is about.
    pub(crate) user: Option<&'a str>,
    /// Whether the call has a page token.
    pub(crate) has_token: bool,
}

/// A script of what goes wrong.
///
/// Every rule counts the calls that it is about, throttled ones too, from when the script is given to
/// the emulator. Of several rules that fire on one call, the first counts. A call that the
/// bucket throttles is throttled, whatever else was to befall it.
///
/// In a file: `{"seed": 7, "rules": [{"operation": "ListUsers", "when": {"nth": 2}, "fault": "cut_before"},
/// {"when": {"random": 0.05}, "fault": {"slow": 2.5}}]}`. A rule with `"with_token": true` is about calls that have a
/// page token.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Script")]
pub struct Faults {
    armed: Vec<Armed>,
    seeds: SeedSource,
}

/// A rule at work.
#[derive(Clone)]
struct Armed {
    rule: Rule,
    n_calls: u64,
    /// Of this rule alone, so that one rule's draws do not hang on another's.
    rng: Rng,
}

/// Where the rules get their seeds from.
#[derive(Clone)]
struct SeedSource(Rng);

/// The form that a file has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    seed: u64,
    rules: Vec<Rule>,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nothing goes wrong yet; the random rules that are added draw from this seed. The same
    /// seed, rules and order of calls give the same faults.
    pub fn seeded(seed: u64) -> Self {
        Self { armed: Vec::new(), seeds: SeedSource(Rng::with_seed(seed)) }
    }

    /// Adds a rule after those that are there.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        let rng = self.seeds.0.fork();
        self.armed.push(Armed { rule, n_calls: 0, rng });
        self
    }

    /// Counts a call, and says what befalls it.
    pub(crate) fn strike(&mut self, asked: Asked<'_>, now: Duration) -> Option<Fault> {
        // No rule may be passed over: each has to count the call.
        let mut fault = None;
        for armed in &mut self.armed {
            if armed.rule.is_about(asked) && armed.fires(now) && fault.is_none() {
                fault = Some(armed.rule.fault.clone());
            }
        }
        fault
    }
}

impl Armed {
    fn fires(&mut self, now: Duration) -> bool {
        self.n_calls += 1;
        match self.rule.when {
            When::Always => true,
            When::Nth(n) => self.n_calls == n,
            When::First(n) => self.n_calls <= n,
            When::Between { from, to } => from <= now && now < to,
            When::Random(probability) => self.rng.f64() < probability,
        }
    }
}

impl Default for SeedSource {
    fn default() -> Self {
        Self(Rng::with_seed(0))
    }
}

impl From<Script> for Faults {
    fn from(script: Script) -> Self {
        let seeded = Self::seeded(script.seed);
        script.rules.into_iter().fold(seeded, Self::rule)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.armed.iter().map(|armed| &armed.rule);
        f.debug_list().entries(rules).finish()
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation::{AssociateUserProficiencies, ListUsers};

    const START: Duration = Duration::ZERO;
    const LIST: Asked<'static> = Asked { operation: ListUsers, user: None, has_token: false };

    fn strikes(faults: &mut Faults, n: usize) -> Vec<bool> {
        let mut strike = |_| faults.strike(LIST, START).is_some();
        (0..n).map(&mut strike).collect()
    }

    #[test]
    fn a_rule_strikes_the_nth_of_its_own_calls() {
        let rule = Rule::new(Fault::CutAfter).on(AssociateUserProficiencies).of_user("a").nth(2);
        let mut faults = Faults::none().rule(rule);
        let mut strike = |operation, user| faults.strike(Asked { operation, user, has_token: false }, START);
        assert_eq!(strike(AssociateUserProficiencies, Some("a")), None);
        assert_eq!(strike(AssociateUserProficiencies, Some("b")), None);
        assert_eq!(strike(ListUsers, None), None);
        assert_eq!(strike(AssociateUserProficiencies, Some("a")), Some(Fault::CutAfter));
        assert_eq!(strike(AssociateUserProficiencies, Some("a")), None);
    }

    #[test]
    fn first_and_between_end() {
        let mut first = Faults::none().rule(Rule::new(Fault::Bare503).first(2));
        assert_eq!(strikes(&mut first, 4), [true, true, false, false]);

        let [from, to] = [10, 20].map(Duration::from_secs);
        let mut outage = Faults::none().rule(Rule::new(Fault::InternalError).between(from, to));
        let mut at = |s| {
            let now = Duration::from_secs(s);
            outage.strike(LIST, now).is_some()
        };
        assert_eq!([9, 10, 19, 20].map(&mut at), [false, true, true, false]);
    }

    #[test]
    fn all_rules_count_though_the_first_that_fires_wins() {
        let mut faults =
            Faults::none().rule(Rule::new(Fault::Throttle).nth(1)).rule(Rule::new(Fault::CutBefore).first(2));
        let mut strike = || faults.strike(LIST, START);
        assert_eq!(strike(), Some(Fault::Throttle));
        assert_eq!(strike(), Some(Fault::CutBefore));
        assert_eq!(strike(), None);
    }

    #[test]
    fn a_rule_about_tokens_counts_the_calls_that_have_one() {
        let mut faults = Faults::none().rule(Rule::new(Fault::Bare503).on(ListUsers).with_token().nth(2));
        let mut strike = |has_token| faults.strike(Asked { has_token, ..LIST }, START).is_some();
        assert_eq!([false, true, false, true, true].map(&mut strike), [false, false, false, true, false]);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let script = |seed| Faults::seeded(seed).rule(Rule::new(Fault::Throttle).randomly(0.3));
        let once = strikes(&mut script(1), 1000);
        assert_eq!(once, strikes(&mut script(1), 1000));
        assert_ne!(once, strikes(&mut script(2), 1000));
        let n_struck = once.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&n_struck), "{n_struck} of 1000");
    }

    #[test]
    fn a_file_says_the_same_as_the_builder() {
        let text = r#"{"seed": 7, "rules": [
            {"operation": "ListUsers", "when": {"nth": 2}, "fault": "cut_before"},
            {"user": "u", "when": {"between": {"from": 1, "to": 2.5}}, "fault": {"slow": 0.25}},
            {"when": {"random": 0.5}, "fault": {"custom": {"status": 409, "code": "Odd"}}},
            {"with_token": true, "fault": "bare503"}
        ]}"#;
        let read: Faults = serde_json::from_str(text).expect("a script");
        let custom = Fault::Custom { status: 409, code: "Odd".to_owned(), message: String::new(), work_done: false };
        let slow = Fault::Slow(Duration::from_millis(250));
        let built = Faults::seeded(7)
            .rule(Rule::new(Fault::CutBefore).on(ListUsers).nth(2))
            .rule(Rule::new(slow).of_user("u").between(Duration::from_secs(1), Duration::from_millis(2500)))
            .rule(Rule::new(custom).randomly(0.5))
            .rule(Rule::new(Fault::Bare503).with_token());
        assert_eq!(format!("{read:?}"), format!("{built:?}"));
        assert!(serde_json::from_str::<Faults>(r#"{"rules": [{"fault": "gone"}]}"#).is_err());
    }
}
