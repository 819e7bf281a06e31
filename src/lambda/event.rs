//! What came in, and what is to be imported because of it. Pure.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::config::{Mode, Options, Percent, Prefixes};

const EXPECTED: &str = "expected an S3 notification (ObjectCreated), an EventBridge event of source aws.s3 and type \
                        \"Object Created\", an SQS batch of these, or a request {\"source\":\"s3://bucket/key\"}";

/// An invocation.
#[derive(Debug)]
pub enum Event {
    /// Objects that were created; answered when they are imported.
    Objects(Vec<Object>),
    /// A person or a schedule asks for an import.
    Request(Request),
    /// Messages, each with one of the above.
    Batch(Vec<Message>),
}

/// An object that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// A second reading of the key, where it is not sure how the event encodes it.
    pub key_decoded: Option<String>,
    /// The version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The `ETag`, without quotes.
    pub etag: Option<String>,
    /// Orders the events of one key.
    pub sequencer: Option<String>,
}

/// A request. A member that is not known is an error: a mistyped `dryrun` must not become a real run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `s3://bucket/key`, or a folder ending in `/` of which the newest object is meant.
    pub source: String,
    /// Instead of the setting `MODE`.
    pub mode: Option<Mode>,
    /// Instead of the setting `DRY_RUN`.
    pub dry_run: Option<bool>,
    /// Interner the import: another request of that name resumes it.
    pub import_id: Option<String>,
    /// Instead of the setting `MAX_INVALID_PERCENT`.
    pub max_invalid_percent: Option<Percent>,
    /// Instead of the setting `MAX_REMOVALS_PERCENT`.
    pub max_removals_percent: Option<Percent>,
}

impl Request {
    /// The bucket and the key or folder.
    pub fn location(&self) -> Result<(&str, &str), NotUnderstood> {
        let path = self.source.strip_prefix("s3://").and_then(|path| path.split_once('/'));
        path.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or_else(|| NotUnderstood(format!("the source '{}' is not of the form s3://bucket/key", self.source)))
    }
}

/// A message of an SQS batch.
#[derive(Debug)]
pub struct Message {
    /// Interner it in the answer.
    pub id: String,
    /// Interner it in requests to the queue.
    pub receipt_handle: Option<String>,
    /// The queue.
    pub queue_arn: Option<String>,
    /// How often it was received, this time among them.
    pub receives: u32,
    /// What it says.
    pub body: Result<Event, NotUnderstood>,
}

/// An event that is none of ours, or a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(pub String);

impl Event {
    /// Understands an invocation's payload.
    pub fn parse(payload: Value) -> Result<Self, NotUnderstood> {
        let records = payload.get("Records").and_then(Value::as_array);
        let source = |record: &Value| record.get("eventSource").and_then(Value::as_str).map(str::to_owned);
        match records.map(|records| records.first().and_then(source)) {
            Some(None) if records.is_some_and(Vec::is_empty) => Ok(Self::Objects(Vec::new())),
            Some(Some(source)) if source == "aws:sqs" => Self::batch(payload),
            Some(Some(source)) if source == "aws:s3" => Self::notification(payload),
            Some(_) => Err(NotUnderstood(format!("records of another source; {EXPECTED}"))),
            None if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") => {
                Ok(Self::Objects(Vec::new()))
            }
            None if payload.get("detail-type").is_some() => Self::event_bridge(payload),
            None if payload.get("source").is_some() => Self::request(payload),
            None => Err(NotUnderstood(format!("not an event of ours; {EXPECTED}"))),
        }
    }

    fn batch(payload: Value) -> Result<Self, NotUnderstood> {
        let batch: SqsEvent = serde_json::from_value(payload).map_err(of("an SQS batch"))?;
        let messages = batch.records.into_iter().map(|message| Message {
            receives: message
                .attributes
                .get("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle,
            queue_arn: message.event_source_arn,
            body: message_body(message.body.as_deref().unwrap_or_default()),
        });
        Ok(Self::Batch(messages.collect()))
    }

    fn notification(payload: Value) -> Result<Self, NotUnderstood> {
        let event: Notification = serde_json::from_value(payload).map_err(of("an S3 notification"))?;
        let objects = event.records.into_iter().map(|record| {
            let name = record.event_name;
            if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
                return Err(NotUnderstood(format!("an S3 notification of '{name}'; {EXPECTED}")));
            }
            let object = record.s3.object;
            Ok(Object {
                bucket: record.s3.bucket.name,
                key: form_decoded(&object.key),
                key_decoded: None,
                version_id: object.version_id.filter(|version| !version.is_empty() && version != "null"),
                etag: object.e_tag.as_deref().map(unquoted),
                sequencer: object.sequencer,
            })
        });
        objects.collect::<Result<_, _>>().map(Self::Objects)
    }

    fn event_bridge(payload: Value) -> Result<Self, NotUnderstood> {
        let event: EventBridgeEvent<Value> = serde_json::from_value(payload).map_err(of("an EventBridge event"))?;
        if event.source != "aws.s3" || event.detail_type != "Object Created" {
            let (source, kind) = (event.source, event.detail_type);
            return Err(NotUnderstood(format!(
                "an EventBridge event of source '{source}' and type '{kind}'; {EXPECTED}"
            )));
        }
        let detail: Detail = serde_json::from_value(event.detail).map_err(of("S3's EventBridge detail"))?;
        let decoded = form_decoded(&detail.object.key);
        let is_pinned = detail.object.version_id.is_some() || detail.object.etag.is_some();
        Ok(Self::Objects(vec![Object {
            bucket: detail.bucket.name,
            key_decoded: Some(decoded).filter(|decoded| is_pinned && *decoded != detail.object.key),
            key: detail.object.key,
            version_id: detail.object.version_id.filter(|version| !version.is_empty() && version != "null"),
            etag: detail.object.etag.as_deref().map(unquoted),
            sequencer: detail.object.sequencer,
        }]))
    }

    fn request(payload: Value) -> Result<Self, NotUnderstood> {
        let request: Request = serde_json::from_value(payload).map_err(of("a request"))?;
        request.location()?;
        if request.import_id.as_deref().is_some_and(str::is_empty) {
            return Err(NotUnderstood("a request with an empty import_id".to_owned()));
        }
        Ok(Self::Request(request))
    }
}

fn message_body(text: &str) -> Result<Event, NotUnderstood> {
    let payload =
        serde_json::from_str(text).map_err(|error| NotUnderstood(format!("not JSON ({error}); {EXPECTED}")))?;
    match Event::parse(payload)? {
        Event::Batch(_) => Err(NotUnderstood(format!("an SQS batch inside a message; {EXPECTED}"))),
        event => Ok(event),
    }
}

/// An S3 notification, as far as it says what to import. The type in `aws_lambda_events` demands a dozen members more.
#[derive(Debug, Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<NotificationRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationRecord {
    event_name: String,
    s3: NotificationEntity,
}

#[derive(Debug, Deserialize)]
struct NotificationEntity {
    bucket: Bucket,
    object: NotificationObject,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationObject {
    key: String,
    version_id: Option<String>,
    e_tag: Option<String>,
    sequencer: Option<String>,
}

/// S3's detail in an EventBridge event, for which there is no type in `aws_lambda_events`.
#[derive(Debug, Deserialize)]
struct Detail {
    bucket: Bucket,
    object: DetailObject,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DetailObject {
    key: String,
    version_id: Option<String>,
    etag: Option<String>,
    sequencer: Option<String>,
}

fn of<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> NotUnderstood {
    move |error| NotUnderstood(format!("{what} that is not whole: {error}"))
}

/// `red+flower.jpg` is "red flower.jpg": notifications encode keys as forms do.
fn form_decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), std::borrow::Cow::into_owned)
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// Whether an object is to be imported: in the import folder, not one of our own, and not a folder's placeholder.
pub fn is_to_import(key: &str, prefixes: &Prefixes) -> bool {
    key.starts_with(&prefixes.import)
        && !key.starts_with(&prefixes.report)
        && !key.starts_with(&prefixes.state)
        && !key.ends_with('/')
}

/// Whether one event of a key came before another. The shorter sequencer is padded with zeros on the left (S3's user guide,
/// "Event message structure").
pub fn is_earlier(sequencer: &str, other: &str) -> bool {
    let width = sequencer.len().max(other.len());
    format!("{sequencer:0>width$}").to_uppercase() < format!("{other:0>width$}").to_uppercase()
}

/// What names an import: the same for every delivery of the same event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(String);

impl Identity {
    /// Of an object that was created.
    pub fn of_object(object: &Object) -> Self {
        let version = object.version_id.as_deref().or(object.etag.as_deref()).unwrap_or_default();
        let sequencer = object.sequencer.as_deref().unwrap_or_default();
        Self::hashed(&["object", &object.bucket, &object.key, version, sequencer])
    }

    /// Of a request with a name, else of the message or invocation that it came with.
    pub fn of_request(request: &Request, delivered_as: &str) -> Self {
        match &request.import_id {
            Some(name) => Self::hashed(&["request", name]),
            None => Self::hashed(&["delivery", delivered_as]),
        }
    }

    /// One that is known already.
    pub fn known(hash: &str) -> Self {
        Self(hash.to_owned())
    }

    /// Of a key, for what all imports of it have in common.
    pub fn of_key(object: &Object) -> Self {
        Self::hashed(&["key", &object.bucket, &object.key])
    }

    fn hashed(parts: &[&str]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        let first_eight = sha.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Self(format!("{first_eight:016x}"))
    }

    /// 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight of them, which end an import's id.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

/// The options of an import: a request's over the key's over the settings'.
///
/// Options in the key are folders, never the file's own name; a folder `a=b` that names no option is a folder.
pub fn options(settings: &Options, key: &str, request: Option<&Request>) -> Result<Options, String> {
    let mut options = *settings;
    let folders = key.rsplit_once('/').map_or("", |(folders, _)| folders);
    for (name, value) in folders.split('/').filter_map(|folder| folder.split_once('=')) {
        let bad = |why: String| format!("The folder '{name}={value}' is not an option that can be followed: {why}.");
        match name.to_lowercase().as_str() {
            "mode" => {
                options.mode = value.to_lowercase().parse().map_err(bad)?;
                options.mode_is_explicit = true;
            }
            "dry-run" | "dry_run" => match value.to_lowercase().as_str() {
                "true" => options.dry_run = true,
                "false" => options.dry_run = false,
                _ => return Err(bad("it is neither 'true' nor 'false'".to_owned())),
            },
            _ => {}
        }
    }
    if let Some(request) = request {
        options.mode = request.mode.unwrap_or(options.mode);
        options.mode_is_explicit |= request.mode.is_some();
        options.dry_run = request.dry_run.unwrap_or(options.dry_run);
        options.max_invalid_percent = request.max_invalid_percent.unwrap_or(options.max_invalid_percent);
        options.max_removals_percent = request.max_removals_percent.unwrap_or(options.max_removals_percent);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "incoming/Köln Süd+mehr.csv";

    fn sample(name: &str) -> Value {
        let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn objects(name: &str) -> Vec<Object> {
        match Event::parse(sample(name)).unwrap() {
            Event::Objects(objects) => objects,
            other => panic!("{other:?}"),
        }
    }

    fn messages(name: &str) -> Vec<Message> {
        match Event::parse(sample(name)).unwrap() {
            Event::Batch(messages) => messages,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_object_has_one_identity_however_it_is_announced() {
        let (notified, announced) = (objects("s3-put").remove(0), objects("eventbridge-object-created").remove(0));
        assert_eq!((notified.key.as_str(), announced.key.as_str()), (KEY, KEY));
        assert_eq!(notified.version_id, announced.version_id);
        assert_eq!(Identity::of_object(&notified), Identity::of_object(&announced));
        let other = Object { sequencer: Some("00".into()), ..notified.clone() };
        assert_ne!(Identity::of_object(&notified), Identity::of_object(&other));
        assert_eq!(Identity::of_object(&notified).as_str().len(), 16);
    }

    #[test]
    fn sequencers_are_compared_as_padded_numbers() {
        for (earlier, later) in [("01", "02"), ("FF", "0100"), ("0a", "0B"), ("9", "10")] {
            assert!(is_earlier(earlier, later) && !is_earlier(later, earlier), "{earlier} {later}");
        }
        assert!(!is_earlier("01", "1"));
    }

    #[test]
    fn a_key_that_may_be_encoded_has_a_second_reading() {
        let announced = objects("eventbridge-object-created").remove(0);
        assert_eq!(announced.key_decoded.as_deref(), Some("incoming/Köln Süd mehr.csv"));
    }

    #[test]
    fn a_batch_has_messages_of_every_form() {
        let message = messages("sqs-eventbridge").remove(0);
        assert_eq!(message.receives, 1);
        assert!(message.queue_arn.unwrap().starts_with("arn:aws:sqs:") && message.receipt_handle.is_some());
        assert!(matches!(message.body, Ok(Event::Objects(objects)) if objects[0].key == KEY));
        let Ok(Event::Objects(both)) = messages("sqs-s3").remove(0).body else { panic!() };
        assert_eq!(
            both.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(),
            [KEY, "incoming/mode=replace/berlin.csv"]
        );
        let Ok(Event::Request(request)) = messages("sqs-request").remove(0).body else { panic!() };
        assert_eq!(request.location(), Ok(("connect-bulk-import-111122223333", "hr/")));
    }

    #[test]
    fn a_test_event_means_nothing_and_is_no_error() {
        assert_eq!(objects("s3-test-event"), []);
    }

    #[test]
    fn requests_are_taken_to_the_letter() {
        for name in ["request", "request-dry-run", "request-channels"] {
            assert!(matches!(Event::parse(sample(name)), Ok(Event::Request(_))), "{name}");
        }
        for (member, value) in [
            ("dryrun", "true"),
            ("dry_run", "\"yes\""),
            ("mode", "\"Replace\""),
            ("max_invalid_percent", "101"),
            ("import_id", "\"\""),
        ] {
            let text = format!(r#"{{"source":"s3://b/k","{member}":{value}}}"#);
            assert!(Event::parse(serde_json::from_str(&text).unwrap()).is_err(), "{text}");
        }
        for source in ["b/k", "s3://b", "s3:///k", "s3://b/", ""] {
            assert!(Event::parse(serde_json::json!({ "source": source })).is_err(), "{source}");
        }
    }

    #[test]
    fn what_is_not_ours_is_refused_with_what_was_expected() {
        for event in [
            serde_json::json!({}),
            serde_json::json!([1]),
            serde_json::json!({"Records":[{"eventSource":"aws:sns"}]}),
            serde_json::json!({"detail-type":"Object Deleted","source":"aws.s3","detail":{}}),
            serde_json::json!({"Records":[{"eventSource":"aws:s3","eventTime":"2026-11-21T19:09:05Z","eventName":"ObjectRemoved:Delete",
                "s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}),
        ] {
            let error = Event::parse(event).unwrap_err();
            assert!(error.to_string().contains("Object Created"), "{error}");
        }
    }

    #[test]
    fn folders_of_the_key_and_members_of_the_request_are_options() {
        let settings = Options {
            mode_is_explicit: false,
            mode: Mode::Merge,
            dry_run: false,
            max_invalid_percent: Percent::try_from(50.0).unwrap(),
            max_removals_percent: Percent::try_from(20.0).unwrap(),
            max_proficiencies_per_user: 10,
        };
        let of =
            |key: &str, request: Option<&Request>| options(&settings, key, request).map(|of| (of.mode, of.dry_run));
        assert_eq!(of("incoming/a.csv", None), Ok((Mode::Merge, false)));
        assert_eq!(of("incoming/mode=replace/dry-run=true/a.csv", None), Ok((Mode::Replace, true)));
        assert_eq!(of("incoming/dry_run=TRUE/a.csv", None), Ok((Mode::Merge, true)));
        assert_eq!(of("incoming/team=blue/mode=replace.csv", None), Ok((Mode::Merge, false)));
        assert!(of("incoming/mode=replcae/a.csv", None).unwrap_err().contains("mode=replcae"));
        assert!(of("incoming/dry-run=maybe/a.csv", None).is_err());
        let request = Request { dry_run: Some(false), mode: Some(Mode::Merge), ..Request::default() };
        assert_eq!(of("incoming/mode=replace/dry-run=true/a.csv", Some(&request)), Ok((Mode::Merge, false)));
    }

    #[test]
    fn only_files_in_the_import_folder_are_imported() {
        let prefixes = Prefixes { import: String::new(), report: "reports/".into(), state: "state/".into() };
        for (key, expected) in [("a.csv", true), ("reports/a.csv", false), ("state/x/source", false), ("in/", false)] {
            assert_eq!(is_to_import(key, &prefixes), expected, "{key}");
        }
        let prefixes = Prefixes { import: "incoming/".into(), ..prefixes };
        assert!(!is_to_import("a.csv", &prefixes) && is_to_import("incoming/a.csv", &prefixes));
    }
}
