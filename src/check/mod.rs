//! Whether imports will work here: asked right after a deployment. It writes nothing to Amazon Connect, and leaves nothing in
//! the bucket (but hidden versions, where it keeps them).
//!
//! Each permission of the function's role that can be tried without a write is tried, each question by itself: a refusal does not
//! stop the others, and what does not answer is a finding within seconds.

mod finding;

use std::time::Duration;

use futures::future::join;
use tokio::time::{Instant, timeout_at};

pub use finding::{Check, Finding, FindingLevel};

use crate::connect::{Connect, ConnectError, DirectoryUser, PredefinedAttribute, UserId};
use crate::settings::Settings;
use crate::store::{Location, Store, StoreError};

/// A question that is not answered within this time is a finding.
const TIME: Duration = Duration::from_secs(15);
/// So long a check takes at most: whoever invokes it waits for a minute.
const TIME_FOR_ALL: Duration = Duration::from_secs(40);

/// Who is checked, and how long that may take.
#[derive(Debug)]
pub struct CheckRequest<'c> {
    /// The settings.
    pub settings: &'c Settings,
    /// The instance. No import may be under way with it.
    pub connect: &'c Connect,
    /// Object storage.
    pub store: &'c Store,
    /// The function's own ARN; empty if it is not known.
    pub function_arn: &'c str,
    /// Unlike that of any other check.
    pub id: &'c str,
    /// When the answer must be there.
    pub end: Option<Instant>,
}

/// Checks what an import needs.
pub async fn check(request: CheckRequest<'_>) -> Check {
    let latest = Instant::now() + TIME_FOR_ALL;
    let questions = Questions { end: request.end.map_or(latest, |end| end.min(latest)), request };
    let (instance, mut objects) = join(questions.instance(), questions.objects()).await;
    let CheckRequest { settings, connect, function_arn, .. } = questions.request;
    let Instance { findings: of_instance, users, attributes, untried } = instance;
    let mut findings = finding::settings(settings, function_arn, users.is_some());
    findings.extend(of_instance);
    findings.append(&mut objects);
    findings.push(finding::untried(settings, untried));
    Check::new(findings, users, attributes, &connect.lanes().rates())
}

/// What is asked, and until when.
struct Questions<'c> {
    request: CheckRequest<'c>,
    end: Instant,
}

/// What the instance answers.
#[derive(Default)]
struct Instance {
    findings: Vec<Finding>,
    users: Option<usize>,
    attributes: Option<usize>,
    /// Actions that could not be tried for want of a user or an attribute.
    untried: Vec<&'static str>,
}

impl Questions<'_> {
    /// What is answered in time.
    async fn in_time<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.end.min(Instant::now() + TIME), question).await.ok()
    }

    async fn instance(&self) -> Instance {
        let mut instance = Instance { findings: vec![self.pace().await], ..Instance::default() };
        let first_user = self.users(&mut instance).await;
        let first_attribute = self.attributes(&mut instance).await;
        match first_attribute {
            Some(attribute) => instance.findings.extend(self.describes(&attribute).await),
            None => instance.untried.push("connect:DescribePredefinedAttribute"),
        }
        match first_user {
            Some(user) => instance.findings.extend(self.reads(&UserId::new(user.id)).await),
            None => instance.untried.extend(["connect:ListUserProficiencies", "connect:DescribeUser"]),
        }
        instance
    }

    /// How often an import may call each operation.
    async fn pace(&self) -> Finding {
        const WHAT: &str = "quotas";
        let CheckRequest { settings, connect, .. } = self.request;
        match connect.set_pace(&settings.rates, false).await {
            Some(complaint) => Finding::warning(
                WHAT,
                format!(
                    "Of some operations the account's quota is not known: an import makes 2 calls of them a second. If the role lacks \
                     servicequotas:ListServiceQuotas, allow it; or set REQUESTS_PER_SECOND. {complaint}"
                ),
            ),
            None if settings.rates.asks_for_account() => {
                let share = settings.rates.share_percent;
                Finding::ok(
                    WHAT,
                    format!("Service Quotas lists the account's quotas; an import uses {share} % of them."),
                )
            }
            None => Finding::ok(WHAT, "The settings say how often each operation is called."),
        }
    }

    /// Whether users can be listed, and how many there are: large directories are not counted to their end.
    async fn users(&self, instance: &mut Instance) -> Option<DirectoryUser> {
        const WHAT: &str = "users";
        let connect = self.request.connect;
        if let Err(finding) = self.ask(WHAT, connect.try_list_users()).await {
            instance.findings.push(finding);
            return None;
        }
        let users = match self.in_time(connect.list_users()).await {
            Some(Ok(users)) => users,
            Some(Err(error)) => {
                instance.findings.push(Finding::of_connect(WHAT, &error, self.request.settings));
                return None;
            }
            None => {
                let message = "Users can be listed, but so slowly that they were not counted. Is the quota of ListUsers used by others?";
                instance.findings.push(Finding::warning(WHAT, message));
                return None;
            }
        };
        instance.users = Some(users.len());
        instance.findings.push(match users.len() {
            0 => Finding::warning(WHAT, "The instance has no users yet. Add one, and check again."),
            n => Finding::ok(WHAT, format!("{n} users can be listed.")),
        });
        users.into_iter().next()
    }

    async fn attributes(&self, instance: &mut Instance) -> Option<PredefinedAttribute> {
        const WHAT: &str = "attributes";
        match self.ask(WHAT, self.request.connect.search_predefined_attributes()).await {
            Ok(attributes) => {
                instance.attributes = Some(attributes.len());
                instance.findings.push(match attributes.len() {
                    0 => Finding::warning(
                        WHAT,
                        "The instance has no predefined attributes yet: proficiencies need them. Settings per channel can be imported.",
                    ),
                    n => Finding::ok(WHAT, format!("{n} predefined attributes can be read.")),
                });
                attributes.into_iter().next()
            }
            Err(finding) => {
                instance.findings.push(finding);
                None
            }
        }
    }

    /// An attribute that the search lacks is asked for by its name.
    async fn describes(&self, attribute: &PredefinedAttribute) -> Option<Finding> {
        match self.ask("attributes", self.request.connect.describe_predefined_attribute(&attribute.name)).await {
            Ok(Some(_)) => None,
            Ok(None) => {
                let message = format!("The attribute '{}' is listed, and cannot be read by its name.", attribute.name);
                Some(Finding::warning("attributes", message))
            }
            Err(finding) => Some(finding),
        }
    }

    async fn reads(&self, user: &UserId) -> [Finding; 2] {
        let connect = self.request.connect;
        let held = self.ask("proficiencies", connect.list_user_proficiencies(user)).await;
        let config = self.ask("user_settings", connect.describe_user(user)).await;
        [
            held.map_or_else(|no| no, |_| Finding::ok("proficiencies", "A user's proficiencies can be read.")),
            config.map_or_else(|no| no, |_| Finding::ok("user_settings", "A user's settings per channel can be read.")),
        ]
    }

    /// Asks the instance by itself: a refusal of another question does not stop this one.
    async fn ask<T>(
        &self,
        what: &'static str,
        question: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, Finding> {
        self.request.connect.lanes().begin(false);
        let answer = self.in_time(question).await.ok_or_else(|| {
            let message = "Amazon Connect did not answer in time: it is down, its quota is used by others, or it cannot be reached from the \
                           function's network.";
            Finding::error(what, message)
        })?;
        answer.map_err(|error| Finding::of_connect(what, &error, self.request.settings))
    }

    /// What the bucket of reports and state answers.
    async fn objects(&self) -> Vec<Finding> {
        let CheckRequest { settings, store, id, .. } = self.request;
        let Some(bucket) = settings.report_bucket.as_deref() else { return Vec::new() };
        let mut findings = Vec::new();
        // Of a report, the function may delete what a later delivery has no use for.
        for (what, prefix, name) in
            [("report", &settings.prefixes.report, "retry.csv"), ("state", &settings.prefixes.state, "import.json")]
        {
            let at = Location::new(bucket, format!("{prefix}check/{id}/{name}"));
            let kept = self.in_time(keep(store, &at)).await;
            // Whatever failed: what was written is deleted, and whether that works is a question, too.
            let deleted = self.in_time(store.delete(&at)).await;
            let deleted = deleted.map(|deleted| deleted.map_err(|error| ("s3:DeleteObject", error)));
            match kept.zip(deleted) {
                Some((Ok(keeps_versions), Ok(()))) => {
                    let message = format!("s3://{bucket}/{prefix} can be written, read and deleted.");
                    findings.push(Finding::ok(what, message));
                    if what == "state" {
                        findings.push(finding::versions(bucket, keeps_versions));
                    }
                }
                Some((Err((action, error)), _) | (_, Err((action, error)))) => {
                    findings.push(Finding::of_store(what, action, &at, &error));
                }
                None => findings.push(Finding::error(what, finding::S3_UNANSWERED)),
            }
        }
        findings.push(match self.in_time(store.tells_event_bridge(bucket)).await {
            Some(told) => finding::events(bucket, told.as_ref().copied()),
            None => Finding::warning("events", finding::S3_UNANSWERED),
        });
        findings
    }
}

/// Writes an object, lists and reads it, also by its version; returns whether the bucket keeps versions. Of a failure it says which
/// action failed.
async fn keep(store: &Store, at: &Location) -> Result<bool, (&'static str, StoreError)> {
    let of = |action: &'static str| move |error: StoreError| (action, error);
    let folder = Location::new(&at.bucket, at.key.rsplit_once('/').map_or("", |(folder, _)| folder));
    store.write(at, "Written by a check, which deletes it.\n".into(), None).await.map_err(of("s3:PutObject"))?;
    let gone = |action| (action, StoreError::Gone(at.to_string()));
    let head = store.head(at).await.map_err(of("s3:GetObject"))?.ok_or_else(|| gone("s3:GetObject"))?;
    store.get(at).await.map_err(of("s3:GetObject"))?.ok_or_else(|| gone("s3:GetObject"))?;
    store.keys(&folder).await.map_err(of("s3:ListBucket"))?;
    let keeps_versions = head.version_id.is_some();
    if keeps_versions {
        let version = Location { version_id: head.version_id, ..at.clone() };
        store.get(&version).await.map_err(of("s3:GetObjectVersion"))?.ok_or_else(|| gone("s3:GetObjectVersion"))?;
    }
    Ok(keeps_versions)
}
