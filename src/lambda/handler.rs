//! Deliveries: the only file that knows `lambda_runtime`.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::event::{Event, Identity, Message, NotUnderstood, Object, is_to_import};
use crate::import::{Delivery, Importer};
use crate::queue::Queue;
use crate::report::ImportStatus;
use crate::state::{Answer, Asked, ImportError, Source};

/// An unfinished import is delivered again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(3);
/// After an error that another try may mend.
const AGAIN_AFTER_AN_ERROR: Duration = Duration::from_secs(20);
/// A message of which nothing could be made so often is given up: it would block all that come after it.
const MAX_RECEIVES: u32 = 5;

/// An answer needs so long before Lambda's deadline, or a twentieth of the delivery's time.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// What the function works with: built once at start.
#[derive(Debug)]
pub struct Handler {
    /// Does the imports.
    pub importer: Importer,
    /// Where batches come from.
    pub queue: Queue,
}

/// Why an invocation has no answer. Lambda shows the type, and retries asynchronous invocations.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The event is none of ours, or a request that is wrong.
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
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
            HandlerError::NotUnderstood(_) => "EventNotUnderstood",
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

impl Handler {
    /// Serves one invocation.
    pub async fn handle(&self, invocation: LambdaEvent<Value>) -> Result<Value, HandlerError> {
        let LambdaEvent { payload, context } = invocation;
        let delivery = self.delivery(&context);
        let imports = match Event::parse(payload)? {
            Event::Batch(messages) => return Ok(self.serve_batch(messages, &delivery).await),
            Event::Request(request) => {
                let identity = Identity::of_request(&request, &context.request_id);
                let asked = Asked { identity, source: Source::Request(request) };
                vec![self.importer.run(&asked, &delivery).await?]
            }
            Event::Objects(objects) => {
                let mut answers = Vec::new();
                for asked in self.to_import(objects) {
                    let answer = self.importer.run(&asked, &delivery).await?;
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

    /// Serves messages in their order. Behind one that is to come again, none is touched: they belong to one group.
    async fn serve_batch(&self, messages: Vec<Message>, delivery: &Delivery) -> Value {
        let mut again = Vec::new();
        for message in messages {
            if again.is_empty()
                && let Some(after) = self.serve_message(&message, delivery).await
            {
                if let (Some(queue), Some(receipt)) = (&message.queue_arn, &message.receipt_handle) {
                    self.queue.deliver_again_in(queue, receipt, after).await;
                }
                again.push(message.id);
            } else if !again.is_empty() {
                again.push(message.id);
            }
        }
        json!({ "batchItemFailures": again.iter().map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() })
    }

    /// Serves one message; if it is to come again, says when.
    async fn serve_message(&self, message: &Message, delivery: &Delivery) -> Option<Duration> {
        let asked = match &message.body {
            Err(why) => {
                error!(message = message.id, "a message that means nothing: {why}");
                return None;
            }
            Ok(Event::Request(request)) => {
                let identity = Identity::of_request(request, &message.id);
                vec![Asked { identity, source: Source::Request(request.clone()) }]
            }
            Ok(Event::Objects(objects)) => self.to_import(objects.clone()),
            Ok(Event::Batch(_)) => return None,
        };
        for asked in asked {
            match self.importer.run(&asked, delivery).await {
                Ok(answer) if answer.status == ImportStatus::InProgress => return Some(AGAIN_AFTER),
                Ok(_) => {}
                Err(why @ ImportError::BeforeItBegan(_)) if message.receives >= MAX_RECEIVES => {
                    error!(message = message.id, "given up after {} receives: {why}", message.receives);
                }
                Err(why) => {
                    warn!(message = message.id, "to be tried again: {why}");
                    return Some(AGAIN_AFTER_AN_ERROR);
                }
            }
        }
        None
    }

    fn to_import(&self, objects: Vec<Object>) -> Vec<Asked> {
        let prefixes = &self.importer.settings.prefixes;
        let (wanted, other): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| is_to_import(&object.key, prefixes));
        if !other.is_empty() {
            info!("{} objects are not in the import folder: passed over", other.len());
        }
        let asked = |object: Object| Asked { identity: Identity::of_object(&object), source: Source::Object(object) };
        wanted.into_iter().map(asked).collect()
    }

    /// The delivery's clock, and its deadline less what is kept back to end in order. A deadline that is over before the
    /// delivery begins is none: a host other than Lambda (`cargo lambda watch`) gave it.
    #[expect(clippy::disallowed_methods, reason = "the wall clock is read here, once per delivery")]
    fn delivery(&self, context: &Context) -> Delivery {
        let now = SystemTime::now();
        let began_at = Instant::now();
        let time = context.deadline().duration_since(now).ok();
        let deadline =
            time.map(|time| began_at + time.saturating_sub(self.importer.settings.deadline_margin.min(time / 5)));
        let end = time.map(|time| began_at + time.saturating_sub(TO_ANSWER.min(time / 20)));
        Delivery { began: DateTime::<Utc>::from(now), began_at, deadline, end }
    }
}
