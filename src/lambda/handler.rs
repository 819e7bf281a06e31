//! Deliveries: the only file of the library that knows `lambda_runtime`.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::event::{Event, InvalidEvent, Message};
use super::queue::Queue;
use crate::import::trigger::{Object, Trigger, is_importable};
use crate::import::{Deadlines, ImportError, ImportErrorKind, Importer};
use crate::outcome::ImportStatus;
use crate::state::Answer;

/// An unfinished import is delivered again after this time.
const REDELIVER_AFTER: Duration = Duration::from_secs(3);
/// After a refusal, which somebody may mend.
const REDELIVER_AFTER_REFUSAL: Duration = Duration::from_secs(20);
/// After an error that may pass.
const REDELIVER_AFTER_ERROR: Duration = Duration::from_secs(60);
/// A message that was refused this often is given up: it would block all that come after it.
const MAX_RECEIVES: u32 = 5;

/// An answer needs this long before Lambda's deadline, or a twentieth of the delivery's time.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// What the function works with: built once at start.
#[derive(Debug)]
pub struct Handler {
    importer: Importer,
    queue: Queue,
}

/// Why an invocation has no answer. Lambda shows the type, and retries asynchronous invocations.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The event is none of ours, or a request that is wrong.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The deadline came first; Lambda's own retries resume the import.
    #[error("import {0} is in progress: delivered again, it goes on")]
    ImportInProgress(String),
    /// A service that cannot be done without did not answer as it should.
    #[error("the import could not go on: {0}")]
    ImportInterrupted(#[from] ImportError),
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        let error_type = match &error {
            HandlerError::InvalidEvent(_) => "EventNotUnderstood",
            HandlerError::ImportInterrupted(error) if error.kind == ImportErrorKind::InvalidRequest => {
                "EventNotUnderstood"
            }
            HandlerError::ImportInProgress(_) => "ImportInProgress",
            HandlerError::ImportInterrupted(_) => "ImportInterrupted",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The answer to events and requests.
#[derive(Debug, Serialize)]
struct Answers {
    imports: Vec<Answer>,
}

/// What becomes of a message.
enum Fate {
    Done,
    /// It comes again after this time.
    Again(Duration),
    /// It will never mean anything, or never succeed.
    GivenUp {
        why: String,
        import_id: Option<String>,
    },
}

impl Handler {
    /// A handler of deliveries from this queue, and of whatever else is invoked.
    pub fn new(importer: Importer, queue: Queue) -> Self {
        Self { importer, queue }
    }

    /// What does the imports.
    pub fn importer(&self) -> &Importer {
        &self.importer
    }

    /// Serves one invocation.
    pub async fn handle(&self, invocation: LambdaEvent<Value>) -> Result<Value, HandlerError> {
        let LambdaEvent { payload, context } = invocation;
        let deadlines = self.deadlines(&context);
        let imports = match Event::parse(payload)? {
            Event::Batch(messages) => return Ok(self.serve_batch(messages, &deadlines).await),
            Event::Check => {
                let (arn, id) = (&context.invoked_function_arn, &context.request_id);
                let check = self.importer.check(arn, id, deadlines.end).await;
                return Ok(json!({ "check": check }));
            }
            Event::Request(request) => {
                vec![self.importer.run(&Trigger::invoked(request, &context.request_id), &deadlines).await?]
            }
            Event::Export(request) => {
                vec![self.importer.run(&Trigger::invoked(request, &context.request_id), &deadlines).await?]
            }
            Event::Objects(objects) => {
                let mut answers = Vec::new();
                for trigger in self.importable(objects) {
                    let answer = self.importer.run(&trigger, &deadlines).await?;
                    if answer.status == ImportStatus::InProgress {
                        return Err(HandlerError::ImportInProgress(answer.import_id));
                    }
                    answers.push(answer);
                }
                answers
            }
        };
        Ok(json!(Answers { imports }))
    }

    /// Serves messages in their order. Behind one that comes again, none is touched: they belong to one group.
    async fn serve_batch(&self, messages: Vec<Message>, deadlines: &Deadlines) -> Value {
        let mut again: Vec<String> = Vec::new();
        for message in messages {
            let is_blocked = !again.is_empty();
            let after = if is_blocked { None } else { self.serve_message(&message, deadlines).await };
            if let Some(after) = after {
                self.queue.change_visibility(&message, after, deadlines.end).await;
            }
            if is_blocked || after.is_some() {
                again.push(message.id);
            }
        }
        json!({ "batchItemFailures": again.iter().map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() })
    }

    /// Serves one message; if it comes again, says when.
    async fn serve_message(&self, message: &Message, deadlines: &Deadlines) -> Option<Duration> {
        match self.fate(message, deadlines).await {
            Fate::Done => None,
            Fate::Again(after) => Some(after),
            Fate::GivenUp { why, import_id } => {
                let (message_id, receive_count) = (&message.id, message.receive_count);
                error!(message_id, receive_count, import_id, "a message is given up: {why}");
                let is_done = self.queue.give_up(message, &why, deadlines.end).await;
                (!is_done).then_some(REDELIVER_AFTER_ERROR)
            }
        }
    }

    async fn fate(&self, message: &Message, deadlines: &Deadlines) -> Fate {
        let triggers = match &message.body {
            Err(why) => return Fate::GivenUp { why: why.to_string(), import_id: None },
            Ok(Event::Request(request)) => vec![Trigger::queued(request.clone(), &message.id)],
            Ok(Event::Export(request)) => vec![Trigger::queued(request.clone(), &message.id)],
            Ok(Event::Objects(objects)) => self.importable(objects.clone()),
            Ok(Event::Batch(_)) => return Fate::Done,
            Ok(Event::Check) => {
                let why = "a check is invoked, and not sent to the queue: nobody would see its answer".to_owned();
                return Fate::GivenUp { why, import_id: None };
            }
        };
        // One that is given up keeps the others of its message from nothing.
        let mut given_up = None;
        for trigger in triggers {
            let why = match self.importer.run(&trigger, deadlines).await {
                Ok(answer) if answer.status == ImportStatus::InProgress => return Fate::Again(REDELIVER_AFTER),
                Ok(_) => continue,
                Err(why) => why,
            };
            let after = match why.kind {
                ImportErrorKind::InvalidRequest | ImportErrorKind::Exhausted => None,
                ImportErrorKind::Refused if message.receive_count >= MAX_RECEIVES => None,
                ImportErrorKind::Refused => Some(REDELIVER_AFTER_REFUSAL),
                ImportErrorKind::Interrupted => Some(REDELIVER_AFTER_ERROR),
            };
            if let Some(after) = after {
                warn!(message_id = message.id, import_id = why.import_id, "to be tried again: {why}");
                return Fate::Again(after);
            }
            given_up.get_or_insert(why);
        }
        given_up.map_or(Fate::Done, |why| Fate::GivenUp { import_id: why.import_id.clone(), why: why.to_string() })
    }

    fn importable(&self, objects: Vec<Object>) -> Vec<Trigger> {
        let prefixes = &self.importer.settings().prefixes;
        let (wanted, other): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| is_importable(&object.key, prefixes));
        if !other.is_empty() {
            info!("{} objects are not in the import folder: passed over", other.len());
        }
        wanted.into_iter().map(Trigger::object).collect()
    }

    /// The delivery's clock, and its deadline less what is kept back to end in order. A deadline that is over before the
    /// delivery begins is none: a host other than Lambda (`cargo lambda watch`) gave it.
    #[expect(clippy::disallowed_methods, reason = "the wall clock is read here, once per delivery")]
    fn deadlines(&self, context: &Context) -> Deadlines {
        let now = SystemTime::now();
        let started = Instant::now();
        let time = context.deadline().duration_since(now).ok();
        let margin = self.importer.settings().deadline_margin;
        let deadline = time.map(|time| started + time.saturating_sub(margin.min(time / 5)));
        let end = time.map(|time| started + time.saturating_sub(TO_ANSWER.min(time / 20)));
        Deadlines { now: DateTime::<Utc>::from(now), started, deadline, end }
    }
}
