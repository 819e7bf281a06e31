//! What a check finds, and what to do about it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::connect::{ConnectError, Operation, Quota, Rates};
use crate::settings::{CONNECT_INSTANCE_ID, REPORT_BUCKET, Settings};
use crate::store::{Location, StoreError};

/// The answer to a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Whether no finding is an error.
    pub ok: bool,
    /// What was looked at, in the order in which an import needs it.
    pub findings: Vec<Finding>,
    /// Users of the instance, if they could be listed.
    pub users: Option<usize>,
    /// Its predefined attributes, if they could be read.
    pub attributes: Option<usize>,
    /// How often an import may call each operation.
    pub quotas: BTreeMap<String, Quota>,
    /// How long an import takes for a thousand users, each read and given something.
    pub minutes_per_1000_users: f64,
}

impl Check {
    pub(super) fn new(findings: Vec<Finding>, users: Option<usize>, attributes: Option<usize>, rates: &Rates) -> Self {
        let slowest = [Operation::ListUserProficiencies, Operation::AssociateUserProficiencies]
            .map(|operation| rates.per_second(operation))
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        Self {
            ok: findings.iter().all(|finding| finding.level != FindingLevel::Error),
            findings,
            users,
            attributes,
            quotas: rates.by_name(),
            minutes_per_1000_users: (1000.0 / slowest / 6.0).round() / 10.0,
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    /// As it should be.
    Ok,
    /// Imports work, but not as well as they could.
    Warning,
    /// Imports do not work.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub level: FindingLevel,
    /// What was looked at, for machines.
    pub what: &'static str,
    /// What was found, and what to do.
    pub message: String,
}

impl Finding {
    pub(super) fn ok(what: &'static str, message: impl Into<String>) -> Self {
        Self { level: FindingLevel::Ok, what, message: message.into() }
    }

    pub(super) fn warning(what: &'static str, message: impl Into<String>) -> Self {
        Self { level: FindingLevel::Warning, what, message: message.into() }
    }

    pub(super) fn error(what: &'static str, message: impl Into<String>) -> Self {
        Self { level: FindingLevel::Error, what, message: message.into() }
    }

    /// A call to Connect that was refused, or not answered.
    pub(super) fn of_connect(what: &'static str, error: &ConnectError, settings: &Settings) -> Self {
        let (operation, id) = (error.operation, &settings.instance_id);
        let message = match error.code.as_str() {
            "AccessDeniedException" | "AccessDenied" => format!(
                "The function's role may not call connect:{operation} for the instance {id}: allow it, for the instance and its agents, \
                 as template.yaml does. {}",
                error.user_message()
            ),
            _ if operation.is_instance_wide() => format!(
                "The instance {id} cannot be asked for its {what}. Is {CONNECT_INSTANCE_ID} the id, or the ARN, of an instance in the \
                 function's own account and Region? {}",
                error.user_message()
            ),
            _ => format!("{operation} was refused. {}", error.user_message()),
        };
        Self::error(what, message)
    }

    /// A request to S3 that was refused, or not answered.
    pub(super) fn of_store(what: &'static str, action: &str, at: &Location, error: &StoreError) -> Self {
        Self::error(what, format!("The function needs {action} for {at}, and was refused, or not answered: {error}"))
    }
}

/// What the settings say, compared with where the function runs: its Region and account, as far as they are known.
pub(super) fn settings(settings: &Settings, function_arn: &str) -> Vec<Finding> {
    const WHAT: &str = "settings";
    let mut findings = Vec::new();
    let id = &settings.instance_id;
    if let Some(arn) = &settings.instance_arn {
        let part = |arn: &str, nth| arn.split(':').nth(nth).unwrap_or_default().to_owned();
        for (name, nth) in [("Region", 3), ("account", 4)] {
            let (theirs, ours) = (part(arn, nth), part(function_arn, nth));
            if !ours.is_empty() && theirs != ours {
                let message = format!(
                    "{CONNECT_INSTANCE_ID} is of the {name} {theirs}, and the function runs in {ours}: it can reach instances of its own \
                     account and Region only. Deploy it there."
                );
                findings.push(Finding::error(WHAT, message));
            }
        }
    }
    if !is_uuid(id) {
        let message = format!(
            "{CONNECT_INSTANCE_ID} is '{id}', which looks like an alias. Use the instance's id or ARN: the Amazon Connect console shows the \
             ARN, and `aws connect list-instances` both."
        );
        findings.push(Finding::error(WHAT, message));
    }
    if settings.report_bucket.is_none() {
        let message = format!(
            "{REPORT_BUCKET} is not set. A check and an export need it, for they have no object whose bucket they could use; the template \
             sets it."
        );
        findings.push(Finding::error(WHAT, message));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(WHAT, "All settings are understood."));
    }
    findings
}

/// `11111111-2222-3333-4444-555555555555`
fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What cannot be tried without doing it.
pub(super) fn untried(settings: &Settings) -> Finding {
    let writes = Operation::ALL.into_iter().filter(|operation| operation.is_write());
    let mut untried: Vec<String> = writes.map(|operation| format!("connect:{operation}")).collect();
    untried.push("sqs:ChangeMessageVisibility".to_owned());
    let told = [
        (settings.dead_letter_queue_url.is_some(), "sqs:SendMessage"),
        (settings.event_bus_name.is_some(), "events:PutEvents"),
        (settings.notice_topic_arn.is_some(), "sns:Publish"),
    ];
    untried.extend(told.into_iter().filter(|(is_used, _)| *is_used).map(|(_, action)| action.to_owned()));
    let message = format!(
        "Not tried, because that would change something or be heard: {}. A dry run and then its plan of one row try those of Connect.",
        untried.join(", ")
    );
    Finding::ok("not tried", message)
}
