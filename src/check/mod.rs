//! Whether imports will work here: asked right after a deployment. It writes nothing to Amazon Connect, and leaves nothing in
//! the bucket.
//!
//! Each permission of the function's role that can be tried without a write is tried, each question by itself: a refusal keeps
//! the others from nothing, and what does not answer is a finding within seconds.

mod finding;

use std::time::Duration;

use futures::future::join;
use tokio::time::timeout;

pub use finding::{Check, Finding, FindingLevel};

use crate::connect::{Connect, ConnectError, UserId};
use crate::settings::Settings;
use crate::store::{Location, Store, StoreError};

/// A question that is not answered within this time is a finding. A directory of 10,000 users takes some of it.
const TIME: Duration = Duration::from_secs(20);

/// Checks what an import needs. `function_arn` is the function's own (empty if it is not known), and `id` is unlike that of
/// any other check.
pub async fn check(settings: &Settings, connect: &Connect, store: &Store, function_arn: &str, id: &str) -> Check {
    let mut findings = finding::settings(settings, function_arn);
    let objects = objects(settings, store, id);
    let (asked, objects) = join(instance(settings, connect), objects).await;
    let Instance { findings: of_instance, users, attributes } = asked;
    findings.extend(of_instance);
    findings.extend(objects);
    findings.push(finding::untried(settings));
    Check::new(findings, users, attributes, &connect.lanes().rates())
}

/// What the instance answers.
struct Instance {
    findings: Vec<Finding>,
    users: Option<usize>,
    attributes: Option<usize>,
}

async fn instance(settings: &Settings, connect: &Connect) -> Instance {
    let mut findings = vec![pace(settings, connect).await];
    let mut keep = |finding: Finding| findings.push(finding);
    let users = ask(settings, connect, "users", connect.list_users()).await.map_err(&mut keep).ok();
    let attributes =
        ask(settings, connect, "attributes", connect.search_predefined_attributes()).await.map_err(&mut keep).ok();
    match &users {
        Some(users) if users.is_empty() => keep(Finding::warning(
            "users",
            "The instance has no users yet, so reading them cannot be tried. Add one, and check again.",
        )),
        Some(users) => keep(Finding::ok("users", format!("{} users can be listed.", users.len()))),
        None => {}
    }
    match &attributes {
        Some(attributes) if attributes.is_empty() => keep(Finding::warning(
            "attributes",
            "The instance has no predefined attributes yet: proficiencies need them. Settings per channel can be imported.",
        )),
        Some(attributes) => {
            let name = &attributes[0].name;
            let described = ask(settings, connect, "attributes", connect.describe_predefined_attribute(name)).await;
            let found = format!("{} predefined attributes can be read.", attributes.len());
            keep(described.map_or_else(|finding| finding, |_| Finding::ok("attributes", found)));
        }
        None => {}
    }
    if let Some(user) = users.iter().flatten().next() {
        let id = UserId::new(user.id.clone());
        for finding in [
            ask(settings, connect, "proficiencies", connect.list_user_proficiencies(&id)).await.map_or_else(
                |finding| finding,
                |held| {
                    Finding::ok(
                        "proficiencies",
                        format!("A user's proficiencies can be read ({}: {}).", user.username, held.len()),
                    )
                },
            ),
            ask(settings, connect, "user settings", connect.describe_user(&id)).await.map_or_else(
                |finding| finding,
                |_| {
                    Finding::ok(
                        "user settings",
                        format!("A user's settings per channel can be read ({}).", user.username),
                    )
                },
            ),
        ] {
            keep(finding);
        }
    }
    Instance {
        findings,
        users: users.map(|users| users.len()),
        attributes: attributes.map(|attributes| attributes.len()),
    }
}

/// How often an import may call each operation.
async fn pace(settings: &Settings, connect: &Connect) -> Finding {
    const WHAT: &str = "quotas";
    match connect.set_pace(&settings.rates, false).await {
        Some(complaint) => Finding::warning(
            WHAT,
            format!(
                "Not all that the account may is known, so an import calls 2 times a second what is not. Allow the role \
                 servicequotas:ListServiceQuotas, or set REQUESTS_PER_SECOND. {complaint}"
            ),
        ),
        None if settings.rates.asks_for_account() => {
            let share = settings.rates.share_percent;
            Finding::ok(WHAT, format!("Service Quotas says what the account may; an import uses {share} % of it."))
        }
        None => Finding::ok(WHAT, "The settings say how often each operation is called."),
    }
}

/// Asks the instance by itself: a refusal before keeps this question from nothing.
async fn ask<T>(
    settings: &Settings,
    connect: &Connect,
    what: &'static str,
    question: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, Finding> {
    connect.lanes().begin(false);
    match timeout(TIME, question).await {
        Ok(answer) => answer.map_err(|error| Finding::of_connect(what, &error, settings)),
        Err(_elapsed) => {
            let seconds = TIME.as_secs();
            let message = format!(
                "Amazon Connect did not answer within {seconds} seconds. Is it reachable from the function's network?"
            );
            Err(Finding::error(what, message))
        }
    }
}

/// What the bucket of reports and state answers.
async fn objects(settings: &Settings, store: &Store, id: &str) -> Vec<Finding> {
    let Some(bucket) = settings.report_bucket.as_deref() else { return Vec::new() };
    let at = |folder: &str, name: &str| Location::new(bucket, format!("{folder}check/{id}/{name}"));
    // Of a report, the function may delete what a later delivery has no use for.
    let report = at(&settings.prefixes.report, "retry.csv");
    let state = at(&settings.prefixes.state, "import.json");
    let mut findings = Vec::new();
    for (what, at) in [("report", report), ("state", state)] {
        match timeout(TIME, kept_and_deleted(store, &at, what)).await {
            Ok(Ok(keeps_versions)) => {
                let folder = at.key.split('/').next().unwrap_or_default();
                findings.push(Finding::ok(what, format!("s3://{bucket}/{folder}/ can be written, read and deleted.")));
                if what == "state" {
                    findings.push(versions(bucket, keeps_versions));
                }
            }
            Ok(Err(finding)) => findings.push(finding),
            Err(_) => findings.push(unanswered(what)),
        }
    }
    findings.push(match timeout(TIME, store.tells_event_bridge(bucket)).await {
        Ok(Ok(true)) => Finding::ok("events", format!("The bucket {bucket} tells EventBridge of what is dropped.")),
        Ok(Ok(false)) => Finding::warning(
            "events",
            format!(
                "The bucket {bucket} does not tell EventBridge of what is dropped, so nothing that is dropped is imported, unless a \
                 notification of its own sends it. Turn EventBridge on in the bucket's properties."
            ),
        ),
        Ok(Err(error)) => Finding::warning(
            "events",
            format!("Whether the bucket {bucket} tells EventBridge of what is dropped cannot be seen (s3:GetBucketNotification): {error}"),
        ),
        Err(_) => unanswered("events"),
    });
    findings
}

/// Writes an object, lists and reads it, and deletes it; returns whether the bucket keeps versions.
async fn kept_and_deleted(store: &Store, at: &Location, what: &'static str) -> Result<bool, Finding> {
    let needs = |action: &'static str| move |error: StoreError| Finding::of_store(what, action, at, &error);
    let folder = Location::new(&at.bucket, at.key.rsplit_once('/').map_or("", |(folder, _)| folder));
    let bytes: &[u8] = b"Written by a check, and to be deleted by it.\n";
    store.write(at, bytes.into(), None).await.map_err(needs("s3:PutObject"))?;
    let head = store.head(at).await.map_err(needs("s3:GetObject"))?;
    let read = store.get(at).await.map_err(needs("s3:GetObject"))?;
    if read.is_none_or(|(read, _)| read != bytes) {
        return Err(Finding::error(
            what,
            format!("{at} was written and is not there. Does something move or delete objects?"),
        ));
    }
    store.keys(&folder).await.map_err(needs("s3:ListBucket"))?;
    store.delete(at).await.map_err(needs("s3:DeleteObject"))?;
    Ok(head.is_some_and(|head| head.version_id.is_some()))
}

fn versions(bucket: &str, keeps_versions: bool) -> Finding {
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

fn unanswered(what: &'static str) -> Finding {
    Finding::error(
        what,
        format!("S3 did not answer within {} seconds. Is it reachable from the function's network?", TIME.as_secs()),
    )
}
