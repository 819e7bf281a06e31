//! A contact centre, a bucket and the function between them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use connect_bulk_import::lambda::{Handler, HandlerError, Queue};
use connect_bulk_import::{Importer, Settings, aws};
use connect_emulator::{Builder, Emulator, Instance, Quotas};
use import_testkit::{MemoryS3, Versioning, clients};
use lambda_runtime::{Context, LambdaEvent};
use proptest::test_runner::Config as ProptestConfig;
use serde_json::{Value, json};

use crate::services::{Sqs, Told};

pub const INSTANCE: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub const BUCKET: &str = "imports";

pub struct World {
    pub emulator: Emulator,
    pub s3: MemoryS3,
    pub sqs: Sqs,
    pub told: Told,
    handler: Handler,
    settings: Vec<(String, String)>,
    n_dropped: std::cell::Cell<u64>,
}

/// Attributes as a centre has them, and users `agent000`, `agent001`, ... who have nothing.
pub fn instance(n_users: usize) -> Instance {
    let mut instance = Instance::new(INSTANCE)
        .with_attribute("Language", ["German", "English", "French", "Spanish"])
        .with_attribute("Product", (0..20).map(|n| format!("P{n:02}")).collect::<Vec<_>>());
    instance.add_attribute("Site", (0..40).map(|n| format!("S{n:02}")).collect::<Vec<_>>());
    for n in 0..n_users {
        instance.add_user(user_id(n), format!("agent{n:03}"), Vec::<(String, String, f32)>::new());
    }
    instance
}

/// The same centre, but each user has so many products, from P00 on, at level 3.
pub fn with_products(n_users: usize, n_products: usize) -> Instance {
    let mut centre = instance(0);
    for n in 0..n_users {
        let held: Vec<_> = (0..n_products).map(|product| ("Product", format!("P{product:02}"), 3.0)).collect();
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
    }
    centre
}

pub fn user_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Runs in virtual time.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

/// A property test of this many cases, or of `PROPTEST_CASES`.
pub fn cases(n: u32) -> ProptestConfig {
    let given = ProptestConfig::default();
    let cases = if std::env::var("PROPTEST_CASES").is_ok() { given.cases } else { n };
    ProptestConfig { cases, failure_persistence: None, ..given }
}

/// A message of an SQS batch.
pub fn in_a_message(id: &str, receive_count: u32, body: &Value) -> Value {
    json!({
        "messageId": id, "receiptHandle": format!("receipt-{id}"), "body": body.to_string(), "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:imports.fifo", "awsRegion": "eu-central-1",
        "attributes": {"ApproximateReceiveCount": receive_count.to_string(), "MessageGroupId": "of its own"},
        "messageAttributes": {}
    })
}

pub fn batch(messages: &[Value]) -> Value {
    json!({ "Records": messages })
}

/// A file of proficiencies with these rows.
pub fn proficiencies(rows: impl AsRef<str>) -> String {
    format!("user,attribute,value,level\n{}", rows.as_ref())
}

impl World {
    pub fn new(instance: Instance) -> Self {
        Self::built(Emulator::builder(instance).quotas(Quotas::unlimited()), &[("REQUESTS_PER_SECOND", "1000")])
    }

    pub fn built(emulator: Builder, settings: &[(&str, &str)]) -> Self {
        Self::over(emulator, &MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled), settings)
    }

    pub fn over(emulator: Builder, s3: &MemoryS3, settings: &[(&str, &str)]) -> Self {
        Self::beside(&emulator.build(), s3, settings)
    }

    /// One more process of the function, beside others.
    pub fn beside(emulator: &Emulator, s3: &MemoryS3, settings: &[(&str, &str)]) -> Self {
        let (emulator, s3, sqs, told) = (emulator.clone(), s3.clone(), Sqs::default(), Told::default());
        let handler = handler(&emulator, &s3, &sqs, &told, settings);
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { emulator, s3, sqs, told, handler, settings, n_dropped: std::cell::Cell::new(0) }
    }

    /// The function's settings.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// What does the imports.
    pub fn importer(&self) -> &Importer {
        self.handler.importer()
    }

    /// The process dies and another begins; what it had in memory is lost.
    pub fn restart(&mut self) {
        let settings = self.settings();
        self.handler = handler(&self.emulator, &self.s3, &self.sqs, &self.told, &settings);
    }

    /// Drops a file and delivers its event.
    pub async fn drop_file(&self, key: &str, csv: impl AsRef<[u8]>) -> Report {
        let event = self.dropped(key, csv);
        self.import(event).await
    }

    /// Delivers an event or a request, and reads the report.
    pub async fn import(&self, event: Value) -> Report {
        let answer = self.invoke(event).await.unwrap();
        self.report(&answer["imports"][0])
    }

    /// Delivers until the import is over. Each process lives this long, the last one as long as it takes.
    pub async fn import_killed(&mut self, event: Value, lives: &[Duration]) -> Report {
        for &life in lives {
            if let Ok(answer) = tokio::time::timeout(life, self.invoke(event.clone())).await {
                return self.report(&answer.unwrap()["imports"][0]);
            }
            self.restart();
        }
        self.import(event).await
    }

    /// Drops a file; the event is still to be delivered.
    pub fn dropped(&self, key: &str, csv: impl AsRef<[u8]>) -> Value {
        self.n_dropped.set(self.n_dropped.get() + 1);
        let stored = self.s3.put(BUCKET, key, csv.as_ref().to_vec());
        json!({
            "version": "0", "source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": BUCKET}, "object": {
                "key": key, "etag": stored.e_tag, "version-id": stored.version_id,
                "sequencer": format!("{:016X}", self.n_dropped.get()),
            }}
        })
    }

    pub async fn invoke(&self, event: Value) -> Result<Value, HandlerError> {
        self.invoke_for(event, Duration::from_secs(15 * 60)).await
    }

    pub async fn invoke_for(&self, event: Value, time: Duration) -> Result<Value, HandlerError> {
        let mut context = Context::default();
        "11111111-1111-4111-8111-111111111111".clone_into(&mut context.request_id);
        "arn:aws:lambda:eu-central-1:111122223333:function:imports".clone_into(&mut context.invoked_function_arn);
        let deadline = (SystemTime::now() + time).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        context.deadline = u64::try_from(deadline.as_millis()).unwrap();
        Box::pin(self.handler.handle(LambdaEvent::new(event, context))).await
    }

    /// What lies in the report's folder of an answer.
    pub fn report(&self, answer: &Value) -> Report {
        let folder = answer["report"].as_str().unwrap().strip_prefix("s3://imports/").unwrap().to_owned();
        let text = |name: &str| {
            let bytes = self.s3.get(BUCKET, &format!("{folder}{name}"))?;
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        };
        let summary: Value = serde_json::from_str(&text("summary.json").unwrap()).unwrap();
        assert_causes_add_up(&summary);
        assert_page(&text("report.html").unwrap(), &summary);
        Report {
            summary,
            results: text("results.csv"),
            retry: text("retry.csv"),
            undo: text("undo.csv"),
            removed: text("removed.csv"),
            plan: text("plan.csv"),
            withheld: text("withheld.csv"),
            folder,
        }
    }

    /// What a user has, as `Language=German:3`.
    pub fn held(&self, n: usize) -> Vec<String> {
        let held = self.emulator.instance(|instance| instance.proficiencies(&user_id(n)));
        held.iter().map(|((attribute, value), level)| format!("{attribute}={value}:{level}")).collect()
    }

    /// Calls by operation.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.emulator.calls() {
            *calls.entry(call.operation.to_string()).or_insert(0) += 1;
        }
        calls
    }
}

/// Whatever the rows hold, the page is small, has no script, and asks for nothing.
fn assert_page(page: &str, summary: &Value) {
    assert!(page.len() <= 512 * 1024, "{} bytes", page.len());
    let status = summary["status"].as_str().unwrap().replace('_', " ");
    assert!(page.contains(&format!(": {status}</title>")), "the page says otherwise than {status}");
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    for forbidden in ["<script", "<img", "<iframe", "<link", "@import", "url(", " src=", " href=", " onload"] {
        let is_text = |at: usize| page[..at].rfind('<') < page[..at].rfind('>');
        let found = page.match_indices(forbidden).find(|(at, found)| found.starts_with('<') || !is_text(*at));
        assert_eq!(found, None, "{forbidden}");
    }
}

/// Once an import is over, its causes account for each row that is not as the file says.
fn assert_causes_add_up(summary: &Value) {
    let rows = |status: &str| summary["rows"][status].as_u64().unwrap();
    let causes = summary["causes"].as_array().unwrap();
    let explained: u64 = causes.iter().map(|cause| cause["rows"].as_u64().unwrap()).sum();
    if summary["status"] != "in_progress" {
        assert_eq!(explained, rows("invalid") + rows("failed") + rows("kept") + rows("pending"), "{summary:#}");
    }
    assert!(causes.iter().all(|cause| cause["code"] != "" && cause["message"] != ""), "{summary:#}");
}

fn handler(emulator: &Emulator, s3: &MemoryS3, sqs: &Sqs, told: &Told, settings: &[(&str, &str)]) -> Handler {
    let lookup = |name: &str| {
        let given = settings.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| (name == "CONNECT_INSTANCE_ID").then(|| INSTANCE.to_owned()))
    };
    let settings = Settings::from_lookup(lookup).unwrap();
    let connect = aws::connect(clients::connect_config(emulator), clients::quotas_config(emulator), &settings, 7);
    let store = aws::store(clients::s3_config(s3));
    let queue = Queue::new(sqs.client(), settings.dead_letter_queue_url.clone());
    let notifier = told.notifier(&settings);
    Handler::new(Importer::new(settings, connect, store).with_listener(notifier), queue)
}

/// A report as its reader sees it.
pub struct Report {
    pub summary: Value,
    pub results: Option<String>,
    pub retry: Option<String>,
    pub undo: Option<String>,
    pub removed: Option<String>,
    pub plan: Option<String>,
    pub withheld: Option<String>,
    pub folder: String,
}

impl Report {
    pub fn status(&self) -> &str {
        self.summary["status"].as_str().unwrap()
    }

    /// Of each row of `results.csv`: line, status, code, message.
    pub fn rows(&self) -> Vec<[String; 4]> {
        rows_of(self.results.as_deref().unwrap())
    }

    /// The status of each row, in order.
    pub fn statuses(&self) -> Vec<String> {
        self.rows().into_iter().map(|[_, status, ..]| status).collect()
    }

    /// Statuses and how many rows have them, and that they add up to the summary.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for status in self.statuses() {
            *counts.entry(status).or_insert(0) += 1;
        }
        let mut said: BTreeMap<String, u64> = serde_json::from_value(self.summary["rows"].clone()).unwrap();
        assert_eq!(said.remove("total"), Some(counts.values().sum()));
        said.retain(|_, n| *n > 0);
        assert_eq!(said, counts, "the summary and the rows differ");
        counts
    }
}

pub fn rows_of(table: &str) -> Vec<[String; 4]> {
    let text = table.strip_prefix('\u{feff}').expect("a report begins with a BOM");
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header = csv.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|cell| cell == name).unwrap();
    let ours = ["import_line", "import_status", "import_code", "import_message"].map(place);
    csv.records().map(|row| row.unwrap()).map(|row| ours.map(|place| row[place].to_owned())).collect()
}
