//! The settings: the only reader of the environment. All are read and checked once at start, and all mistakes are told
//! together. A bad value is never passed over for a default.
//!
//! `envy` and `figment` would read them into a struct with serde, and serde stops at the first mistake; here one start tells
//! all of them (the test `all_mistakes_are_told_together`).

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::connect::{Operation, OwnRate, RateSettings};
use crate::options::{Mode, Options, Percent, Prefixes, UnassignedRows};

/// The instance, as id or ARN.
pub const CONNECT_INSTANCE_ID: &str = "CONNECT_INSTANCE_ID";
/// Where objects are taken from.
pub const IMPORT_PREFIX: &str = "IMPORT_PREFIX";
/// Where reports are written to.
pub const REPORT_PREFIX: &str = "REPORT_PREFIX";
/// Where an import keeps what it must remember.
pub const STATE_PREFIX: &str = "STATE_PREFIX";
/// Bucket of reports and state.
pub const REPORT_BUCKET: &str = "REPORT_BUCKET";
/// `merge` or `replace`.
pub const MODE: &str = "MODE";
/// Plan only.
pub const DRY_RUN: &str = "DRY_RUN";
/// Rate of each operation's bucket, or `auto`.
pub const REQUESTS_PER_SECOND: &str = "REQUESTS_PER_SECOND";
/// Size of each operation's bucket.
pub const REQUEST_BURST: &str = "REQUEST_BURST";
/// With `auto`: the share of the account's quotas that may be used.
pub const QUOTA_SHARE_PERCENT: &str = "QUOTA_SHARE_PERCENT";
/// Buckets of single operations, as JSON.
pub const REQUEST_RATES: &str = "REQUEST_RATES";
/// Rate of one more bucket over all operations.
pub const TOTAL_REQUESTS_PER_SECOND: &str = "TOTAL_REQUESTS_PER_SECOND";
/// Guard against a file that is mostly wrong.
pub const MAX_INVALID_PERCENT: &str = "MAX_INVALID_PERCENT";
/// Guard against a mass removal.
pub const MAX_REMOVALS_PERCENT: &str = "MAX_REMOVALS_PERCENT";
/// `protect` or `ignore`.
pub const UNASSIGNED_ROWS: &str = "UNASSIGNED_ROWS";
/// How long a user that was seen right need not be read again.
pub const RECHECK_DAYS: &str = "RECHECK_DAYS";
/// Connect's quota of proficiencies per agent.
pub const MAX_PROFICIENCIES_PER_USER: &str = "MAX_PROFICIENCIES_PER_USER";
/// Kept back before Lambda's deadline.
pub const DEADLINE_MARGIN_SECONDS: &str = "DEADLINE_MARGIN_SECONDS";
/// Where messages go that are given up.
pub const DEAD_LETTER_QUEUE_URL: &str = "DEAD_LETTER_QUEUE_URL";

/// The event bus that hears of the end of each import.
pub const EVENT_BUS_NAME: &str = "EVENT_BUS_NAME";
/// The topic by which people hear of it.
pub const NOTICE_TOPIC_ARN: &str = "NOTICE_TOPIC_ARN";
/// Of which ends people hear.
pub const NOTICES: &str = "NOTICES";

/// The function's name, which Lambda sets.
const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The level of the log, in the form of `tracing`'s targets.
const RUST_LOG: &str = "RUST_LOG";
/// The level of the log as Lambda sets it.
const AWS_LAMBDA_LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// What is logged where nothing else is said.
const DEFAULT_LOG_LEVEL: &str = "info";

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The instance's id (an ARN's last part).
    pub instance_id: String,
    /// Its ARN, if that was given.
    pub instance_arn: Option<String>,
    /// Where objects are.
    pub prefixes: Prefixes,
    /// The bucket of reports and state, if it is not the object's own.
    pub report_bucket: Option<String>,
    /// What decides an import, where neither request nor key say otherwise.
    pub options: Options,
    /// The quotas.
    pub rates: RateSettings,
    /// Kept back before Lambda's deadline, but never more than a fifth of a delivery's time.
    pub deadline_margin: Duration,
    /// Where messages go that are given up.
    pub dead_letter_queue_url: Option<String>,
    /// The event bus that hears of the end of each import: its name or ARN.
    pub event_bus_name: Option<String>,
    /// The topic by which people hear of it.
    pub notice_topic_arn: Option<String>,
    /// Of which ends people hear.
    pub notices: Notices,
    /// The function's name.
    pub function_name: String,
}

/// Of which ends of imports people hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notices {
    /// Of every end.
    #[default]
    All,
    /// Of those that are not `succeeded`.
    Problems,
}

impl FromStr for Notices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "problems" => Ok(Self::Problems),
            _ => Err(format!("'{text}' is neither 'all' nor 'problems'")),
        }
    }
}

/// What is logged: `RUST_LOG`, which wins over Lambda's own `AWS_LAMBDA_LOG_LEVEL`. It is read before the settings, so that their
/// mistakes can be logged.
#[expect(clippy::disallowed_methods, reason = "this is the only reader of the environment")]
pub fn log_filter_from_env() -> String {
    log_filter(|name| std::env::var(name).ok())
}

fn log_filter(lookup: impl Fn(&str) -> Option<String>) -> String {
    let given = |name| lookup(name).filter(|text| !text.is_empty());
    // Lambda has a level that `tracing` has not.
    let lambdas = || given(AWS_LAMBDA_LOG_LEVEL).map(|level| level.to_lowercase().replace("fatal", "error"));
    given(RUST_LOG).or_else(lambdas).unwrap_or_else(|| DEFAULT_LOG_LEVEL.to_owned())
}

/// All mistakes in the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings: {}", .0.join("; "))]
pub struct SettingsError(pub Vec<String>);

impl Settings {
    /// Reads the process's environment.
    #[expect(clippy::disallowed_methods, reason = "this is the only reader of the environment")]
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads settings from wherever they are, by their names.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut read = EnvReader { lookup, mistakes: Vec::new() };
        let instance_id = read.required(CONNECT_INSTANCE_ID, instance_id);
        let prefixes = Prefixes {
            import: read.or(IMPORT_PREFIX, "incoming/", import_prefix),
            report: read.or(REPORT_PREFIX, "reports/", prefix),
            state: read.or(STATE_PREFIX, "state/", prefix),
        };
        let instance_arn = (read.lookup)(CONNECT_INSTANCE_ID).filter(|given| given.starts_with("arn:"));
        let settings = Self {
            instance_id,
            instance_arn,
            report_bucket: read.optional(REPORT_BUCKET, |text| Ok(text.to_owned())),
            options: Options {
                mode: read.or(MODE, "merge", Mode::from_str),
                mode_is_explicit: false,
                dry_run: read.or(DRY_RUN, "false", boolean),
                max_invalid_percent: read.or(MAX_INVALID_PERCENT, "50", percent),
                max_removals_percent: read.or(MAX_REMOVALS_PERCENT, "20", percent),
                max_proficiencies_per_user: read
                    .or(MAX_PROFICIENCIES_PER_USER, "10", number::<NonZeroU32>)
                    .get()
                    .try_into()
                    .unwrap_or(usize::MAX),
                unassigned_rows: read.or(UNASSIGNED_ROWS, "protect", UnassignedRows::from_str),
                recheck_days: read.or(RECHECK_DAYS, "0", |text| number::<u32>(text)?.try_into()),
            },
            rates: RateSettings {
                per_second: read.or(REQUESTS_PER_SECOND, "auto", per_second_or_auto),
                burst: read.or(REQUEST_BURST, "5", number),
                of: read.optional(REQUEST_RATES, own_rates).unwrap_or_default(),
                total_per_second: read.optional(TOTAL_REQUESTS_PER_SECOND, per_second),
                share_percent: read.or(QUOTA_SHARE_PERCENT, "90", share_percent),
            },
            deadline_margin: read.or(DEADLINE_MARGIN_SECONDS, "30", margin),
            dead_letter_queue_url: read.optional(DEAD_LETTER_QUEUE_URL, url),
            event_bus_name: read.optional(EVENT_BUS_NAME, event_bus),
            notice_topic_arn: read.optional(NOTICE_TOPIC_ARN, topic),
            notices: read.or(NOTICES, "all", Notices::from_str),
            function_name: read.or(AWS_LAMBDA_FUNCTION_NAME, env!("CARGO_PKG_NAME"), |name| Ok(name.to_owned())),
            prefixes,
        };
        let Prefixes { import, report, state } = &settings.prefixes;
        for (name, own) in [(REPORT_PREFIX, report), (STATE_PREFIX, state)] {
            if import.starts_with(own) {
                read.mistakes.push(format!(
                    "{IMPORT_PREFIX} '{import}' lies under {name} '{own}': every object would be passed over"
                ));
            }
        }
        if report.starts_with(state.as_str()) || state.starts_with(report.as_str()) {
            read.mistakes.push(format!("{REPORT_PREFIX} '{report}' and {STATE_PREFIX} '{state}' overlap"));
        }
        if read.mistakes.is_empty() { Ok(settings) } else { Err(SettingsError(read.mistakes)) }
    }
}

/// Reads setting after setting and keeps the mistakes. What stands in for a bad value is never used.
struct EnvReader<L> {
    lookup: L,
    mistakes: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> EnvReader<L> {
    fn required(&mut self, name: &str, parse: impl Fn(&str) -> Result<String, String>) -> String {
        let Some(text) = (self.lookup)(name).filter(|text| !text.is_empty()) else {
            self.mistakes.push(format!("{name} is not set"));
            return String::new();
        };
        self.parsed(name, &text, parse).unwrap_or_default()
    }

    fn or<T>(&mut self, name: &str, default: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let text = (self.lookup)(name);
        let given = text.and_then(|text| self.parsed(name, &text, &parse));
        given.unwrap_or_else(|| parse(default).unwrap_or_else(|why| panic!("the default of {name} is bad: {why}")))
    }

    /// An empty value is none: that is how a template leaves a setting out.
    fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = (self.lookup)(name).filter(|text| !text.is_empty())?;
        self.parsed(name, &text, parse)
    }

    fn parsed<T>(&mut self, name: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        parse(text).map_err(|why| self.mistakes.push(format!("{name}: {why}"))).ok()
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: fmt::Display,
{
    text.trim().parse().map_err(|why| format!("'{text}' is not a number that fits: {why}"))
}

fn percent(text: &str) -> Result<Percent, String> {
    number::<f64>(text)?.try_into()
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{text}' is neither 'true' nor 'false'")),
    }
}

/// At least a hundredth of the quota, and all of it at most.
fn share_percent(text: &str) -> Result<f64, String> {
    let percent: f64 = number(text)?;
    let is_share = (1.0..=100.0).contains(&percent);
    if is_share { Ok(percent) } else { Err(format!("{percent} is not between 1 and 100")) }
}

/// Nothing for `auto`.
fn per_second_or_auto(text: &str) -> Result<Option<f64>, String> {
    match text {
        "auto" => Ok(None),
        _ => per_second(text).map(Some).map_err(|why| format!("{why} (or 'auto')")),
    }
}

/// More than none, and no more than a bucket can count.
fn per_second(text: &str) -> Result<f64, String> {
    checked_per_second(number(text)?)
}

fn checked_per_second(rate: f64) -> Result<f64, String> {
    let is_rate = (0.001..=100_000.0).contains(&rate);
    if is_rate { Ok(rate) } else { Err(format!("{rate} is not between 0.001 and 100000")) }
}

/// With less than five seconds a delivery has no time to end in order.
fn margin(text: &str) -> Result<Duration, String> {
    let seconds: f64 = number(text)?;
    let is_margin = (5.0..=900.0).contains(&seconds);
    if is_margin { Ok(Duration::from_secs_f64(seconds)) } else { Err(format!("{seconds} is not between 5 and 900")) }
}

fn url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if is_url { Ok(text.to_owned()) } else { Err(format!("'{text}' is not the URL of a queue")) }
}

/// A name or an ARN (EventBridge's `PutEvents`: letters, digits, and some signs between them, at most 1,600).
fn event_bus(text: &str) -> Result<String, String> {
    let is_bus =
        text.len() <= 1600 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte));
    if is_bus { Ok(text.to_owned()) } else { Err(format!("'{text}' is neither the name of an event bus nor its ARN")) }
}

fn topic(text: &str) -> Result<String, String> {
    match text.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sns", _, _, name] if !name.is_empty() && !name.contains('.') => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is not the ARN of a standard topic")),
    }
}

fn prefix(text: &str) -> Result<String, String> {
    if text.len() > 1 && text.ends_with('/') && !text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err(format!("'{text}' is not a folder such as 'name/'"))
    }
}

/// The whole bucket may be watched.
fn import_prefix(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { prefix(text) }
}

fn instance_id(text: &str) -> Result<String, String> {
    let id = match text.strip_prefix("arn:") {
        Some(arn) => {
            arn.split_once(":instance/").map(|(_, id)| id).ok_or_else(|| format!("'{text}' is no instance's ARN"))?
        }
        None => text,
    };
    let is_id = (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_id { Ok(id.to_owned()) } else { Err(format!("'{text}' is neither an instance's id nor its ARN")) }
}

fn own_rates(text: &str) -> Result<BTreeMap<Operation, OwnRate>, String> {
    let given: BTreeMap<String, OwnRate> = serde_json::from_str(text)
        .map_err(|why| format!("not of the form {{\"ListUserProficiencies\":{{\"rate\":10,\"burst\":5}}}}: {why}"))?;
    let own = |(name, own): (String, OwnRate)| {
        let operation = Operation::from_name(&name).ok_or_else(|| {
            let known = Operation::ALL.map(Operation::name).join(", ");
            format!("'{name}' is no operation that is called; those are: {known}")
        })?;
        own.rate.map_or(Ok(0.0), checked_per_second)?;
        Ok((operation, own))
    };
    given.into_iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::connect::{AccountQuotas, Rate};

    fn read(given: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let instance = [(CONNECT_INSTANCE_ID, "11111111-2222-3333-4444-555555555555")];
        let lookup = |name: &str| {
            let found = given.iter().chain(&instance).find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::from_lookup(lookup).map_err(|mistakes| mistakes.0)
    }

    fn percent(share: f64) -> Percent {
        share.try_into().unwrap()
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = read(&[]).unwrap();
        let (rates, share) = (settings.rates.rates(&AccountQuotas::default()), settings.rates.share_percent);
        assert_eq!((settings.rates.asks_for_account(), share), (true, 90.0));
        assert_eq!(rates.of(Operation::ListUsers), Rate { per_second: 2.0, burst: NonZeroU32::new(5).unwrap() });
        assert_eq!((settings.options.mode, settings.options.dry_run), (Mode::Merge, false));
        assert_eq!(settings.options.max_invalid_percent, percent(50.0));
        assert_eq!(settings.options.max_removals_percent, percent(20.0));
        assert_eq!(settings.options.max_proficiencies_per_user, 10);
        assert_eq!(settings.deadline_margin, Duration::from_secs(30));
        assert_eq!((settings.report_bucket, rates.total()), (None, None));
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let mistakes = read(&[
            (CONNECT_INSTANCE_ID, ""),
            (IMPORT_PREFIX, "reports/in/"),
            (STATE_PREFIX, "state"),
            (MODE, "Replace"),
            (DRY_RUN, "yes"),
            (REQUESTS_PER_SECOND, "0"),
            (REQUEST_BURST, "2.5"),
            (REQUEST_RATES, r#"{"ListUser":{"rate":1}}"#),
            (TOTAL_REQUESTS_PER_SECOND, "fast"),
            (QUOTA_SHARE_PERCENT, "0.5"),
            (MAX_INVALID_PERCENT, "101"),
            (RECHECK_DAYS, "1.5"),
            (MAX_PROFICIENCIES_PER_USER, "0"),
            (DEADLINE_MARGIN_SECONDS, "4.9"),
            (DEAD_LETTER_QUEUE_URL, "a queue"),
            (EVENT_BUS_NAME, "a bus"),
            (NOTICE_TOPIC_ARN, "arn:aws:sqs:eu-central-1:111122223333:imports"),
            (NOTICES, "none"),
        ])
        .unwrap_err();
        let about: Vec<_> = mistakes.iter().map(|mistake| mistake.split([' ', ':']).next().unwrap()).collect();
        let expected = [
            CONNECT_INSTANCE_ID,
            STATE_PREFIX,
            MODE,
            DRY_RUN,
            MAX_INVALID_PERCENT,
            MAX_PROFICIENCIES_PER_USER,
            RECHECK_DAYS,
            REQUESTS_PER_SECOND,
            REQUEST_BURST,
            REQUEST_RATES,
            TOTAL_REQUESTS_PER_SECOND,
            QUOTA_SHARE_PERCENT,
            DEADLINE_MARGIN_SECONDS,
            DEAD_LETTER_QUEUE_URL,
            EVENT_BUS_NAME,
            NOTICE_TOPIC_ARN,
            NOTICES,
            IMPORT_PREFIX,
        ];
        assert_eq!(about, expected, "{mistakes:#?}");
    }

    /// The other side of `tests/template_test.py`, which holds the template's parameters to the same table.
    #[test]
    fn a_value_that_the_template_takes_does_not_fail_the_start() {
        #[derive(Deserialize)]
        struct Parameter {
            setting: Option<String>,
            good: Vec<String>,
            #[serde(default)]
            narrower: Vec<String>,
            bad: Vec<String>,
        }
        let table: BTreeMap<String, Parameter> =
            serde_json::from_str(include_str!("../tests/parameters.json")).unwrap();
        for Parameter { setting, good, narrower, bad } in table.into_values() {
            let Some(setting) = setting.filter(|setting| setting != RUST_LOG) else { continue };
            for value in good.iter().chain(&narrower) {
                assert!(read(&[(&setting, value)]).is_ok(), "{setting}={value}: {:?}", read(&[(&setting, value)]));
            }
            for value in &bad {
                assert!(read(&[(&setting, value)]).is_err(), "{setting}={value} is taken");
            }
        }
    }

    #[test]
    fn what_is_logged_is_rust_log_then_lambdas_level_then_info() {
        let of = |given: &[(&str, &str)]| {
            let found =
                |name: &str| given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
            log_filter(found)
        };
        assert_eq!(of(&[(RUST_LOG, "WARN"), (AWS_LAMBDA_LOG_LEVEL, "TRACE")]), "WARN");
        assert_eq!(of(&[(RUST_LOG, ""), (AWS_LAMBDA_LOG_LEVEL, "FATAL")]), "error");
        assert_eq!(of(&[]), "info");
    }

    #[test]
    fn an_instance_is_an_id_or_an_arn() {
        let arn = "arn:aws:connect:eu-central-1:111122223333:instance/abc-1";
        assert_eq!(read(&[(CONNECT_INSTANCE_ID, arn)]).unwrap().instance_id, "abc-1");
        assert!(read(&[(CONNECT_INSTANCE_ID, "arn:aws:s3:::bucket")]).is_err());
        assert!(read(&[(CONNECT_INSTANCE_ID, "my instance")]).is_err());
    }

    #[test]
    fn single_operations_have_their_own_quota() {
        let rates = r#"{"ListUserProficiencies":{"rate":10,"burst":7},"ListUsers":{"rate":0.5}}"#;
        let rates = read(&[(REQUEST_RATES, rates), (REQUEST_BURST, "3")]).unwrap().rates;
        let rates = rates.rates(&AccountQuotas::default());
        let of = |operation| (rates.of(operation).per_second, rates.of(operation).burst.get());
        assert_eq!(of(Operation::ListUserProficiencies), (10.0, 7));
        assert_eq!(of(Operation::ListUsers), (0.5, 3));
        assert_eq!(of(Operation::UpdateUserProficiencies), (2.0, 3));
        assert_eq!(read(&[(REQUEST_RATES, "")]).unwrap().rates.of.len(), 0);
    }
}
