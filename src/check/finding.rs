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
        let (reads, writes) =
            (rates.of(Operation::ListUserProficiencies), rates.of(Operation::AssociateUserProficiencies));
        let each = reads.per_second.min(writes.per_second);
        let slowest = rates.total().map_or(each, |total| each.min(total.per_second / 2.0));
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

    /// A call to Connect that was refused.
    pub(super) fn of_connect(what: &'static str, error: &ConnectError, settings: &Settings) -> Self {
        const OF_CREDENTIALS: [&str; 5] =
            ["Credentials", "ExpiredToken", "UnrecognizedClient", "InvalidSignature", "InvalidClientToken"];
        let (operation, id, code) = (error.operation, &settings.instance_id, error.code.as_str());
        let why = if code.starts_with("AccessDenied") {
            format!(
                "The function may not call connect:{operation} for the instance {id}. Its role must allow it, for the instance and its agents, \
                 as in template.yaml, and no policy of the organization or of a VPC endpoint may deny it."
            )
        } else if OF_CREDENTIALS.iter().any(|begin| code.starts_with(begin)) {
            format!("The function's credentials are not accepted ({code}). Does it run with its role?")
        } else if operation.is_instance_wide() {
            format!(
                "The instance {id} cannot be asked. Is {CONNECT_INSTANCE_ID} the id, or the ARN, of an instance in the function's own \
                 account and Region?"
            )
        } else {
            format!("{operation} was refused.")
        };
        Self::error(what, format!("{why} {}", error.user_message()))
    }

    /// A request to S3 that failed.
    pub(super) fn of_store(what: &'static str, action: &str, at: &Location, error: &StoreError) -> Self {
        let bucket = &at.bucket;
        let code = match error {
            StoreError::Precondition(_) => "PreconditionFailed",
            StoreError::Gone(_) => "NoSuchKey",
            StoreError::Other { code, .. } => code,
        };
        let message = match code {
            "NoSuchBucket" => format!("There is no bucket {bucket}. {REPORT_BUCKET} must name one."),
            "PermanentRedirect" | "Http301" => format!("The bucket {bucket} is in another Region than the function."),
            "NoSuchKey" => format!("{at} was written and is not there. Does something move or delete objects?"),
            _ => format!(
                "{at}: {code}. The function needs {action} there; and with a key of its own on the bucket kms:Decrypt and \
                 kms:GenerateDataKey."
            ),
        };
        Self::error(what, message)
    }
}

/// S3 gave no answer.
pub(super) const S3_UNANSWERED: &str =
    "S3 did not answer in time. Is it reachable from the function's network (in a VPC: by a gateway endpoint)?";

/// Whether the bucket keeps versions.
pub(super) fn versions(bucket: &str, keeps_versions: bool) -> Finding {
    const WHAT: &str = "versions";
    if keeps_versions {
        return Finding::ok(WHAT, format!("The bucket {bucket} keeps versions."));
    }
    let message = format!(
        "The bucket {bucket} keeps no versions: each file is copied before it is imported, and one that is overwritten at once may be lost. \
         Turn on versioning."
    );
    Finding::warning(WHAT, message)
}

/// Whether the bucket tells `EventBridge` of what is dropped.
pub(super) fn events(bucket: &str, told: Result<bool, &StoreError>) -> Finding {
    const WHAT: &str = "events";
    match told {
        Ok(true) => Finding::ok(WHAT, format!("The bucket {bucket} tells EventBridge of what is dropped.")),
        Ok(false) => Finding::warning(
            WHAT,
            format!(
                "The bucket {bucket} does not tell EventBridge of what is dropped, so nothing that is dropped there is imported, unless a \
                 notification of its own sends it. Turn EventBridge on in the bucket's properties."
            ),
        ),
        Err(_) => Finding::warning(
            WHAT,
            format!(
                "Whether the bucket {bucket} tells EventBridge of what is dropped cannot be seen: allow s3:GetBucketNotification."
            ),
        ),
    }
}

/// What the settings say, compared with where the function runs: its Region and account, as far as they are known. Where the
/// instance answers all the same, it is a replica of that one.
pub(super) fn settings(settings: &Settings, function_arn: &str, answers: bool) -> Vec<Finding> {
    const WHAT: &str = "settings";
    let mut findings = Vec::new();
    let id = &settings.instance_id;
    let level = if answers { FindingLevel::Warning } else { FindingLevel::Error };
    let mut complain = |level, message| findings.push(Finding { level, what: WHAT, message });
    if let Some(arn) = &settings.instance_arn {
        let part = |arn: &str, nth| arn.split(':').nth(nth).unwrap_or_default().to_owned();
        for (name, nth) in [("Region", 3), ("account", 4)] {
            let (theirs, ours) = (part(arn, nth), part(function_arn, nth));
            if !ours.is_empty() && theirs != ours {
                let message = format!(
                    "{CONNECT_INSTANCE_ID} is of the {name} {theirs}, and the function runs in {ours}: it can reach instances of its own \
                     account and Region only. Deploy it there."
                );
                complain(level, message);
            }
        }
    }
    if !is_uuid(id) {
        let message = format!(
            "{CONNECT_INSTANCE_ID} is '{id}', which looks like an alias. Use the instance's id or ARN: the Amazon Connect console shows the \
             ARN, and `aws connect list-instances` both."
        );
        complain(level, message);
    }
    if settings.report_bucket.is_none() {
        let message = format!(
            "{REPORT_BUCKET} is not set. A check and an export need it, for they have no object whose bucket they could use; the \
                 template sets it."
        );
        complain(FindingLevel::Error, message);
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

/// What cannot be tried without doing it, and what there was nobody to try with.
pub(super) fn untried(settings: &Settings, mut untried: Vec<&'static str>) -> Finding {
    untried.extend([
        "connect:AssociateUserProficiencies",
        "connect:UpdateUserProficiencies",
        "connect:DisassociateUserProficiencies",
        "connect:UpdateUserConfig",
        "s3:AbortMultipartUpload",
        "sqs:ChangeMessageVisibility",
    ]);
    let told = [
        (settings.dead_letter_queue_url.is_some(), "sqs:SendMessage"),
        (settings.event_bus_name.is_some(), "events:PutEvents"),
        (settings.notice_topic_arn.is_some(), "sns:Publish"),
    ];
    untried.extend(told.into_iter().filter(|(is_used, _)| *is_used).map(|(_, action)| action));
    let message = format!(
        "Not tried, because trying would change or send something, or because there is nobody to try it with: {}. A file of one row tries \
         the writes.",
        untried.join(", ")
    );
    Finding::ok("not_tried", message)
}
