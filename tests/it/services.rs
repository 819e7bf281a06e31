//! What the function tells beside its report: the queue, the event bus, the topic and the log, as far as it uses them.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use connect_bulk_import::lambda::{EventBus, Notifier, Topic, log};
use connect_bulk_import::{Settings, aws};
use import_testkit::clients;
use serde_json::{Value, json};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client's configuration, wired to a function in this process.
macro_rules! config {
    ($sdk:ident, $answer:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::from_static(clients::REGION))
            .credentials_provider($sdk::config::Credentials::new("x", "y", None, None, "test"))
            .sleep_impl(clients::TokioSleep::new())
            .http_client(clients::http_client($answer))
    };
}

/// As long as there is one subscriber only, `tracing` keeps what the thread that meets a line first thinks of it; and most tests
/// have none.
static ANOTHER_SUBSCRIBER: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));

/// How a service answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Answers,
    /// With a refusal that lasts.
    Refuses,
    /// Not at all.
    Hangs,
}

impl Mood {
    async fn endure(self) {
        if self == Self::Hangs {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }
}

/// What the function asked of the queue, and how that answers.
#[derive(Clone, Default)]
pub struct Sqs(Arc<Mutex<SqsState>>);

#[derive(Default)]
struct SqsState {
    requests: Vec<Value>,
    dead_letters: Vec<Value>,
    mood: Mood,
}

impl Sqs {
    /// Requests to change a message's visibility.
    pub fn requests(&self) -> Vec<Value> {
        self.0.lock().unwrap().requests.clone()
    }

    /// What was sent to the dead-letter queue.
    pub fn dead_letters(&self) -> Vec<Value> {
        self.0.lock().unwrap().dead_letters.clone()
    }

    pub fn set_mood(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    pub fn client(&self) -> aws_sdk_sqs::Client {
        let sqs = self.clone();
        aws::sqs(config!(aws_sdk_sqs, move |request: http::Request<Bytes>| {
            let sqs = sqs.clone();
            async move { sqs.answer(&request).await }
        }))
    }

    async fn answer(&self, request: &http::Request<Bytes>) -> Result<http::Response<Bytes>, BoxError> {
        let body: Value = serde_json::from_slice(request.body())?;
        let mood = self.0.lock().unwrap().mood;
        mood.endure().await;
        if mood == Mood::Refuses {
            return refusal(r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}"#);
        }
        let mut state = self.0.lock().unwrap();
        let answer = if request.headers()["x-amz-target"].to_str()?.ends_with(".SendMessage") {
            state.dead_letters.push(body);
            json!({"MessageId": format!("dead-{}", state.dead_letters.len()), "MD5OfMessageBody": ""})
        } else {
            state.requests.push(body);
            json!({})
        };
        Ok(http::Response::new(Bytes::from(answer.to_string())))
    }
}

/// What the function told, and how those answer who should hear it.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<ToldState>>);

#[derive(Default)]
struct ToldState {
    events: Vec<Value>,
    notices: Vec<Notice>,
    lines: Vec<u8>,
    bus: Mood,
    topic: Mood,
    latency: Duration,
}

/// A notice as the topic got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub topic: String,
    pub subject: String,
    pub text: String,
}

impl Told {
    /// Events, as they were put on the bus.
    pub fn events(&self) -> Vec<Value> {
        self.0.lock().unwrap().events.clone()
    }

    pub fn notices(&self) -> Vec<Notice> {
        self.0.lock().unwrap().notices.clone()
    }

    /// The lines of the log, all of which are JSON.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.0.lock().unwrap().lines.clone();
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The lines that tell the end of an import.
    pub fn ends(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["message"] == "import finished").collect()
    }

    /// The lines that are metrics.
    pub fn metrics(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line.get("_aws").is_some()).collect()
    }

    pub fn forget(&self) {
        let mut state = self.0.lock().unwrap();
        state.events.clear();
        state.notices.clear();
        state.lines.clear();
    }

    pub fn set_moods(&self, bus: Mood, topic: Mood) {
        let mut state = self.0.lock().unwrap();
        (state.bus, state.topic) = (bus, topic);
    }

    /// How long who should hear it takes to answer.
    pub fn set_latency(&self, latency: Duration) {
        self.0.lock().unwrap().latency = latency;
    }

    async fn mood(&self, of: fn(&ToldState) -> Mood) -> Mood {
        let (mood, latency) = {
            let state = self.0.lock().unwrap();
            (of(&state), state.latency)
        };
        tokio::time::sleep(latency).await;
        mood.endure().await;
        mood
    }

    /// Logs into these lines for as long as the guard lives.
    pub fn log(&self, filter: &str) -> tracing::subscriber::DefaultGuard {
        LazyLock::force(&ANOTHER_SUBSCRIBER);
        let told = self.clone();
        tracing::subscriber::set_default(log::subscriber(filter, move || told.clone()))
    }

    /// The function's own notifier, which tells here.
    pub fn notifier(&self, settings: &Settings) -> Notifier {
        let told = self.clone();
        let bus = aws::event_bridge(config!(aws_sdk_eventbridge, move |request: http::Request<Bytes>| {
            let told = told.clone();
            async move { told.put_events(&request).await }
        }));
        let told = self.clone();
        let topic = aws::sns(config!(aws_sdk_sns, move |request: http::Request<Bytes>| {
            let told = told.clone();
            async move { told.publish(&request).await }
        }));
        let told = self.clone();
        let lines = log::Lines::new(move || told.clone());
        let bus = settings.event_bus_name.clone().map(|name| EventBus::new(bus, name));
        let topic = settings.notice_topic_arn.clone().map(|arn| Topic::new(topic, arn));
        Notifier::new(settings, lines, bus, topic)
    }

    async fn put_events(&self, request: &http::Request<Bytes>) -> Result<http::Response<Bytes>, BoxError> {
        let mood = self.mood(|state| state.bus).await;
        let answer = match mood {
            Mood::Refuses => json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorizedForSource"}]}),
            Mood::Answers | Mood::Hangs => {
                let body: Value = serde_json::from_slice(request.body())?;
                self.0.lock().unwrap().events.extend(body["Entries"].as_array().unwrap().clone());
                json!({"FailedEntryCount": 0, "Entries": [{"EventId": "an event"}]})
            }
        };
        Ok(http::Response::new(Bytes::from(answer.to_string())))
    }

    async fn publish(&self, request: &http::Request<Bytes>) -> Result<http::Response<Bytes>, BoxError> {
        let mood = self.mood(|state| state.topic).await;
        if mood == Mood::Refuses {
            return refusal(
                "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>no such topic</Message></Error>\
                 </ErrorResponse>",
            );
        }
        let form = String::from_utf8(request.body().to_vec())?;
        let field = |name: &str| {
            let value = form.split('&').find_map(|field| field.strip_prefix(&format!("{name}="))).unwrap_or_default();
            percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8().unwrap().into_owned()
        };
        let notice = Notice { topic: field("TopicArn"), subject: field("Subject"), text: field("Message") };
        self.0.lock().unwrap().notices.push(notice);
        let answer =
            "<PublishResponse><PublishResult><MessageId>a notice</MessageId></PublishResult></PublishResponse>";
        Ok(http::Response::new(Bytes::from_static(answer.as_bytes())))
    }
}

/// The log writes here.
impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refusal(body: &'static str) -> Result<http::Response<Bytes>, BoxError> {
    Ok(http::Response::builder().status(400).body(Bytes::from_static(body.as_bytes()))?)
}
