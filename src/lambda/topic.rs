//! SNS, in our words: the end of an import as a notice for people. The only file that knows `aws_sdk_sns`.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use aws_sdk_sns::Client;

use super::notice::{subject, text};
use crate::import::ImportEnd;

/// A topic by which people hear of the end of each import.
#[derive(Clone, Debug)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic of this ARN behind this client.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Publishes the end of an import.
    pub(super) async fn publish(&self, end: &ImportEnd) -> anyhow::Result<()> {
        let call = self.client.publish().topic_arn(&self.arn).subject(subject(end)).message(text(end));
        Box::pin(call.send()).await?;
        Ok(())
    }
}
