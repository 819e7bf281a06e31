//! SQS, in our words: when a message is delivered again, and where it goes when it is given up. The only file that knows
//! `aws_sdk_sqs`.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_types::error::display::DisplayErrorContext;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::event::Message;

/// The attribute of a message in the dead-letter queue that says why it is there.
const REASON: &str = "reason";
/// A reason is not longer than this.
const MAX_REASON_LETTERS: usize = 1000;
/// A FIFO queue wants a group for every message, also for one that comes from a queue without groups.
const GROUP: &str = "imports";

/// The queue that delivers, and the one for what is given up.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    dead_letter_queue_url: Option<String>,
}

impl Queue {
    /// SQS behind this client.
    pub fn new(client: Client, dead_letter_queue_url: Option<String>) -> Self {
        Self { client, dead_letter_queue_url }
    }

    /// Makes a message visible again after this time, instead of after the queue's own. It is only a wish: where it is not
    /// granted before `end`, the import goes on when the queue's own time is over.
    pub(super) async fn change_visibility(&self, message: &Message, after: Duration, end: Option<Instant>) {
        let (Some(arn), Some(receipt)) = (&message.queue_arn, &message.receipt_handle) else { return };
        let Some(url) = url(arn) else {
            warn!(arn, "not a queue's ARN");
            return;
        };
        let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt);
        match before(end, Box::pin(call.visibility_timeout(seconds).send())).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                warn!("the message's visibility could not be changed: {}", DisplayErrorContext(error));
            }
            None => warn!("the message's visibility could not be changed: SQS did not answer in time"),
        }
    }

    /// Sends a message that is given up to the dead-letter queue, if there is one, its body unchanged. Whether it may be
    /// done: what could not be sent comes again.
    pub(super) async fn give_up(&self, message: &Message, reason: &str, end: Option<Instant>) -> bool {
        let Some(url) = &self.dead_letter_queue_url else { return true };
        let reason: String = reason.chars().filter(|letter| !letter.is_control()).take(MAX_REASON_LETTERS).collect();
        let reason = MessageAttributeValue::builder().data_type("String").string_value(reason).build();
        let Ok(reason) = reason else { return false };
        let mut call = self.client.send_message().queue_url(url).message_body(&message.text);
        call = call.message_attributes(REASON, reason);
        if url.rsplit_once('.').is_some_and(|(_, ending)| ending == "fifo") {
            let group = message.group.as_deref().unwrap_or(GROUP);
            call = call.message_group_id(group).message_deduplication_id(&message.id);
        }
        match before(end, Box::pin(call.send())).await {
            Some(Ok(_)) => return true,
            Some(Err(error)) => {
                warn!(message_id = message.id, "the dead-letter queue did not take it: {}", DisplayErrorContext(error));
            }
            None => warn!(message_id = message.id, "the dead-letter queue did not answer in time"),
        }
        false
    }
}

/// What is answered before an instant, if there is one.
async fn before<T>(end: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => timeout_at(end, future).await.ok(),
        None => Some(future.await),
    }
}

/// The URL that belongs to `arn:aws:sqs:region:account:name`.
fn url(arn: &str) -> Option<String> {
    let ["arn", partition, "sqs", region, account, name] = arn.split(':').collect::<Vec<_>>()[..] else { return None };
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    Some(format!("https://sqs.{region}.{suffix}/{account}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queues_url_follows_from_its_arn() {
        let of = |partition| url(&format!("arn:{partition}:sqs:eu-central-1:111122223333:imports.fifo"));
        assert_eq!(of("aws").unwrap(), "https://sqs.eu-central-1.amazonaws.com/111122223333/imports.fifo");
        assert_eq!(of("aws-cn").unwrap(), "https://sqs.eu-central-1.amazonaws.com.cn/111122223333/imports.fifo");
        assert_eq!(url("arn:aws:s3:::bucket"), None);
    }
}
