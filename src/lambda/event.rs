//! What came in, and which imports it asks for. Pure.

use std::fmt;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::import::request::{ExportRequest, Request};
use crate::import::trigger::{IdempotencyKey, Object};
use crate::kind::FileKind;

const EXPECTED: &str = "expected an S3 notification (ObjectCreated), an EventBridge event of source aws.s3 and type \
                        \"Object Created\", an SQS batch of these, a request {\"source\":\"s3://bucket/key\"}, \
                        {\"export\":\"proficiencies\"}, or {\"check\":true}";

/// An invocation.
#[derive(Debug)]
pub enum Event {
    /// Objects that were created; answered when they are imported.
    Objects(Vec<Object>),
    /// A person or a schedule asks for an import.
    Request(Request),
    /// A person or a schedule asks for a file of what users have.
    Export(ExportRequest),
    /// A person asks whether imports will work here.
    Check,
    /// Messages, each with one of the above.
    Batch(Vec<Message>),
}

/// A message of an SQS batch.
#[derive(Debug)]
pub struct Message {
    /// Names it in the answer.
    pub id: String,
    /// Names it in requests to the queue.
    pub receipt_handle: Option<String>,
    /// The queue.
    pub queue_arn: Option<String>,
    /// The message group that it is of, in a FIFO queue.
    pub group: Option<String>,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// Its body as it came.
    pub text: String,
    /// What it says.
    pub body: Result<Event, InvalidEvent>,
}

/// An event that is none of ours, or a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEvent(pub String);

impl Event {
    /// Understands an invocation's payload.
    pub fn parse(payload: Value) -> Result<Self, InvalidEvent> {
        let first = payload.get("Records").and_then(Value::as_array).map(|records| records.first().map(event_source));
        match first {
            Some(None) => Ok(Self::Objects(Vec::new())),
            Some(Some("aws:sqs")) => Self::batch(payload),
            Some(Some("aws:s3")) => Self::notification(payload),
            Some(Some("aws:sns")) => Self::topic(payload),
            Some(Some(_)) => Err(unexpected("records of another source")),
            None if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") => {
                Ok(Self::Objects(Vec::new()))
            }
            None if payload.get("detail-type").is_some() => Self::event_bridge(payload),
            None if payload.get("check").is_some() => Self::check(payload),
            None if payload.get("export").is_some() => Self::export(payload),
            None if payload.get("source").is_some() || payload.get("import_id").is_some() => Self::request(payload),
            None => Err(unexpected("not an event of ours")),
        }
    }

    fn batch(payload: Value) -> Result<Self, InvalidEvent> {
        let batch: SqsEvent = parse("an SQS batch", payload)?;
        let messages = batch.records.into_iter().map(|message| {
            let count = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
            let text = message.body.unwrap_or_default();
            Message {
                id: message.message_id.unwrap_or_default(),
                receipt_handle: message.receipt_handle,
                queue_arn: message.event_source_arn,
                group: message.attributes.get("MessageGroupId").cloned(),
                receive_count: count.unwrap_or(1),
                body: enclosed("a message", &text),
                text,
            }
        });
        Ok(Self::Batch(messages.collect()))
    }

    /// S3's notifications inside SNS's.
    fn topic(payload: Value) -> Result<Self, InvalidEvent> {
        let event: SnsEvent = parse("an SNS event", payload)?;
        let mut objects = Vec::new();
        for record in event.records {
            match enclosed("an SNS message", &record.sns.message)? {
                Self::Objects(created) => objects.extend(created),
                other @ (Self::Request(_) | Self::Export(_)) => return Ok(other),
                Self::Check => return Err(unexpected("a check inside an SNS message")),
                Self::Batch(_) => return Err(unexpected("an SQS batch inside an SNS message")),
            }
        }
        Ok(Self::Objects(objects))
    }

    /// Of several records those that created something are imported.
    fn notification(payload: Value) -> Result<Self, InvalidEvent> {
        let event: Notification = parse("an S3 notification", payload)?;
        let is_created =
            |record: &NotificationRecord| record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:");
        let (created, other): (Vec<_>, Vec<_>) = event.records.into_iter().partition(is_created);
        if let (true, Some(other)) = (created.is_empty(), other.first()) {
            return Err(unexpected(format!("an S3 notification of '{}'", other.event_name)));
        }
        let object = |NotificationRecord { s3: NotificationEntity { bucket, object }, .. }| Object {
            bucket: bucket.name,
            key: form_decoded(&object.key),
            key_decoded: None,
            version_id: version(object.version_id),
            etag: object.e_tag.as_deref().map(unquoted),
            sequencer: object.sequencer,
        };
        Ok(Self::Objects(created.into_iter().map(object).collect()))
    }

    fn event_bridge(payload: Value) -> Result<Self, InvalidEvent> {
        let event: EventBridgeEvent<Value> = parse("an EventBridge event", payload)?;
        let (source, detail_type) = (event.source, event.detail_type);
        if source != "aws.s3" || detail_type != "Object Created" {
            return Err(unexpected(format!("an EventBridge event of source '{source}' and type '{detail_type}'")));
        }
        let Detail { bucket, object } = parse("S3's EventBridge detail", event.detail)?;
        let decoded = form_decoded(&object.key);
        let is_pinned = object.version_id.is_some() || object.etag.is_some();
        Ok(Self::Objects(vec![Object {
            bucket: bucket.name,
            key_decoded: Some(decoded).filter(|decoded| is_pinned && *decoded != object.key),
            key: object.key,
            version_id: version(object.version_id),
            etag: object.etag.as_deref().map(unquoted),
            sequencer: object.sequencer,
        }]))
    }

    fn check(payload: Value) -> Result<Self, InvalidEvent> {
        let CheckEvent { check } = parse("a check", payload)?;
        if check { Ok(Self::Check) } else { Err(unexpected("a check that is false")) }
    }

    fn export(payload: Value) -> Result<Self, InvalidEvent> {
        let request: ExportRequest = parse("a request for an export", payload)?;
        check_name(request.import_id.as_deref())?;
        if request.export == FileKind::UserConfig && request.form.is_some() {
            return Err(InvalidEvent("settings per channel have one form only: leave out `form`".to_owned()));
        }
        Ok(Self::Export(request))
    }

    fn request(payload: Value) -> Result<Self, InvalidEvent> {
        let request: Request = parse("a request", payload)?;
        check_name(request.import_id.as_deref())?;
        let is_answered = request.import_id.as_deref().and_then(IdempotencyKey::from_import_id).is_some();
        if request.source.is_none() && !(is_answered && request.has_no_options()) {
            return Err(unexpected("a request without a source, and an import_id that no answer gave"));
        }
        Ok(Self::Request(request))
    }
}

fn check_name(import_id: Option<&str>) -> Result<(), InvalidEvent> {
    if import_id.is_some_and(str::is_empty) {
        return Err(InvalidEvent("a request with an empty import_id".to_owned()));
    }
    Ok(())
}

fn unexpected(what: impl fmt::Display) -> InvalidEvent {
    InvalidEvent(format!("{what}; {EXPECTED}"))
}

fn parse<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, InvalidEvent> {
    serde_json::from_value(value).map_err(|error| InvalidEvent(format!("{what} that is not whole: {error}")))
}

/// SNS writes `EventSource`, the others `eventSource`.
fn event_source(record: &Value) -> &str {
    let source = record.get("eventSource").or_else(|| record.get("EventSource"));
    source.and_then(Value::as_str).unwrap_or_default()
}

/// The event in the text of a message; SNS puts one more envelope around it.
fn enclosed(what: &str, text: &str) -> Result<Event, InvalidEvent> {
    let payload: Value = serde_json::from_str(text).map_err(|error| unexpected(format!("not JSON ({error})")))?;
    if let (Some("Notification"), Some(message)) =
        (payload.get("Type").and_then(Value::as_str), payload.get("Message").and_then(Value::as_str))
    {
        return enclosed("an SNS message", message);
    }
    match Event::parse(payload)? {
        Event::Batch(_) => Err(unexpected(format!("an SQS batch inside {what}"))),
        event => Ok(event),
    }
}

/// Asks for a check.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckEvent {
    check: bool,
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
    bucket: BucketName,
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
    bucket: BucketName,
    object: DetailObject,
}

#[derive(Debug, Deserialize)]
struct BucketName {
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

/// SNS's event for Lambda, as far as it says what was published.
#[derive(Debug, Deserialize)]
struct SnsEvent {
    #[serde(rename = "Records")]
    records: Vec<TopicRecord>,
}

#[derive(Debug, Deserialize)]
struct TopicRecord {
    #[serde(rename = "Sns")]
    sns: Published,
}

#[derive(Debug, Deserialize)]
struct Published {
    #[serde(rename = "Message")]
    message: String,
}

/// "null" is the version of a bucket whose versioning was suspended: it is overwritten in place.
fn version(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && id != "null")
}

/// `red+flower.jpg` is "red flower.jpg": notifications encode keys as forms do.
fn form_decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), Into::into)
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
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
    fn one_object_has_one_key_however_it_is_announced() {
        let (notified, announced) = (objects("s3-put").remove(0), objects("eventbridge-object-created").remove(0));
        assert_eq!((notified.key.as_str(), announced.key.as_str()), (KEY, KEY));
        assert_eq!(notified.version_id, announced.version_id);
        assert_eq!(IdempotencyKey::of_object(&notified), IdempotencyKey::of_object(&announced));
        let other = Object { sequencer: Some("00".into()), ..notified.clone() };
        assert_ne!(IdempotencyKey::of_object(&notified), IdempotencyKey::of_object(&other));
        assert_eq!(IdempotencyKey::of_object(&notified).as_str().len(), 16);
    }

    #[test]
    fn a_key_that_may_be_encoded_has_a_second_reading() {
        let announced = objects("eventbridge-object-created").remove(0);
        assert_eq!(announced.key_decoded.as_deref(), Some("incoming/Köln Süd mehr.csv"));
    }

    #[test]
    fn a_batch_has_messages_of_every_form() {
        let message = messages("sqs-eventbridge").remove(0);
        assert_eq!(message.receive_count, 1);
        assert!(message.queue_arn.unwrap().starts_with("arn:aws:sqs:") && message.receipt_handle.is_some());
        assert!(matches!(message.body, Ok(Event::Objects(objects)) if objects[0].key == KEY));
        let Ok(Event::Objects(both)) = messages("sqs-s3").remove(0).body else { panic!() };
        assert_eq!(
            both.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(),
            [KEY, "incoming/mode=replace/berlin.csv"]
        );
        let Ok(Event::Request(request)) = messages("sqs-request").remove(0).body else { panic!() };
        assert_eq!(request.source.unwrap().to_string(), "s3://connect-bulk-import-111122223333/hr/");
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
        for name in ["request-export", "request-export-wide", "request-export-channels"] {
            assert!(matches!(Event::parse(sample(name)), Ok(Event::Export(_))), "{name}");
        }
        assert!(matches!(Event::parse(sample("request-check")), Ok(Event::Check)));
        // Nobody would see the answer.
        let told = serde_json::json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{\"check\":true}"}}]});
        assert!(Event::parse(told).is_err());
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
            serde_json::json!({"Records":[{"eventSource":"aws:kinesis"}]}),
            serde_json::json!({"detail-type":"Object Deleted","source":"aws.s3","detail":{}}),
            serde_json::json!({"Records":[{"eventSource":"aws:s3","eventTime":"2026-11-21T19:09:05Z","eventName":"ObjectRemoved:Delete",
                "s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}),
        ] {
            let error = Event::parse(event).unwrap_err();
            assert!(error.to_string().contains("Object Created"), "{error}");
        }
    }

    #[test]
    fn a_notification_inside_sns_is_what_it_holds() {
        let notification = sample("s3-put").to_string();
        let envelope =
            serde_json::json!({"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "Message": notification});
        let invoked = serde_json::json!({"Records": [{"EventSource": "aws:sns", "Sns": envelope}]});
        assert!(matches!(Event::parse(invoked), Ok(Event::Objects(objects)) if objects[0].key == KEY));
        let message = |body: &Value| {
            serde_json::json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": body.to_string(),
                "attributes": {}, "messageAttributes": {}}]})
        };
        let Ok(Event::Batch(messages)) = Event::parse(message(&envelope)) else { panic!() };
        assert!(matches!(&messages[0].body, Ok(Event::Objects(objects)) if objects[0].key == KEY));
        let test = serde_json::json!({"Type": "Notification", "Message": sample("s3-test-event").to_string()});
        let Ok(Event::Batch(messages)) = Event::parse(message(&test)) else { panic!() };
        assert!(matches!(&messages[0].body, Ok(Event::Objects(objects)) if objects.is_empty()));
        let other = serde_json::json!({"Type": "Notification", "Message": "hello"});
        let Ok(Event::Batch(messages)) = Event::parse(message(&other)) else { panic!() };
        assert!(messages[0].body.is_err() && messages[0].text == format!("{other}"));
    }

    #[test]
    fn of_several_records_those_that_created_something_are_imported() {
        let mut event = sample("s3-put");
        let mut removed = event["Records"][0].clone();
        removed["eventName"] = "ObjectRemoved:Delete".into();
        event["Records"].as_array_mut().unwrap().insert(0, removed.clone());
        assert!(matches!(Event::parse(event), Ok(Event::Objects(objects)) if objects.len() == 1));
        assert!(Event::parse(serde_json::json!({"Records": [removed]})).is_err());
    }

    #[test]
    fn the_id_of_an_answer_is_all_that_a_request_needs() {
        let parse = |text: &str| Event::parse(serde_json::from_str(text).unwrap());
        assert!(parse(r#"{"import_id":"20261121T230905Z-1a2b3c4d5e6f7a8b"}"#).is_ok());
        assert!(parse(r#"{"import_id":"20261121T230905Z-1a2b3c4d5e6f7a8b","dry_run":true}"#).is_err());
        assert!(parse(r#"{"import_id":"november"}"#).is_err());
    }
}
