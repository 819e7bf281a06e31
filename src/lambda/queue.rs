//! The queue, in our words: when a message is to be delivered again. The only file that knows `aws_sdk_sqs`.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_smithy_types::error::display::DisplayErrorContext;
use tracing::warn;

/// SQS.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
}

impl Queue {
    /// SQS behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Makes a message visible again after so long, instead of after the queue's own time. It is only a wish: where it
    /// is not granted, the import goes on when the queue's own time is over.
    pub async fn deliver_again_in(&self, queue_arn: &str, receipt_handle: &str, after: Duration) {
        let Some(url) = url(queue_arn) else {
            warn!(queue_arn, "not a queue's ARN");
            return;
        };
        let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt_handle);
        if let Err(error) = call.visibility_timeout(seconds).send().await {
            warn!("the message's visibility could not be changed: {}", DisplayErrorContext(error));
        }
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
