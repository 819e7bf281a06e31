//! The adapter to `aws_sdk_servicequotas`: what the account may.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use std::collections::BTreeSet;
use std::error::Error as _;
use std::time::Duration;

use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_servicequotas::operation::list_service_quotas::{ListServiceQuotasError, ListServiceQuotasOutput};
use aws_sdk_servicequotas::types::{AppliedLevelEnum, PeriodUnit, QuotaPeriod, ServiceQuota};
use tokio::time::sleep;

use crate::connect::quotas::ListedQuota;

/// As Service Quotas names Amazon Connect.
const SERVICE_CODE: &str = "connect";
/// The largest page that the service model allows.
const QUOTAS_PER_PAGE: i32 = 100;
/// What is throttled, or fails, is asked again after this time, for as long as whoever asks waits.
const BACKOFF: Duration = Duration::from_millis(250);
/// What is not answered at all (there may be no way to the service) is asked so often.
const MAX_UNANSWERED: u32 = 2;
const THROTTLED: [&str; 3] = ["ThrottlingException", "TooManyRequestsException", "Throttling"];

/// Service Quotas.
#[derive(Clone, Debug)]
pub(in crate::connect) struct ServiceQuotas {
    client: Client,
}

impl ServiceQuotas {
    /// The client's own retries must be off.
    pub(in crate::connect) fn new(client: Client) -> Self {
        Self { client }
    }

    /// All quotas of Connect that hold for the whole account, complete or an error in a sentence.
    pub(in crate::connect) async fn list(&self) -> Result<Vec<ListedQuota>, String> {
        let (mut listed, mut token, mut seen) = (Vec::new(), None, BTreeSet::new());
        loop {
            let page = self.page(token.clone()).await?;
            listed.extend(page.quotas.unwrap_or_default().into_iter().filter_map(quota));
            token = page.next_token.filter(|token| !token.is_empty());
            match &token {
                None => return Ok(listed),
                Some(token) if !seen.insert(token.clone()) => return Err("the same page token twice".to_owned()),
                Some(_) => {}
            }
        }
    }

    async fn page(&self, token: Option<String>) -> Result<ListServiceQuotasOutput, String> {
        let mut n_unanswered = 0;
        loop {
            let call = self.client.list_service_quotas().service_code(SERVICE_CODE).max_results(QUOTAS_PER_PAGE);
            let error = match Box::pin(call.set_next_token(token.clone()).send()).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            let is_throttled = error.code().is_some_and(|code| THROTTLED.contains(&code));
            n_unanswered += u32::from(status.is_none());
            let may_pass = status.map_or(n_unanswered < MAX_UNANSWERED, |status| status == 429 || status >= 500);
            if !(may_pass || is_throttled) {
                return Err(reason(&error));
            }
            sleep(BACKOFF).await;
        }
    }
}

/// The service's own code and message, or what stood in the way of an answer.
fn reason(error: &SdkError<ListServiceQuotasError>) -> String {
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return format!("{code}: {message}");
    }
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A quota of the account that has a value. One of a resource has the same code.
fn quota(quota: ServiceQuota) -> Option<ListedQuota> {
    let is_of_account = quota.quota_applied_at_level.is_none_or(|level| level == AppliedLevelEnum::Account);
    let period_seconds = quota.period.map_or(Some(1.0), |period| seconds(&period))?;
    let (code, value) = quota.quota_code.zip(quota.value).filter(|_| is_of_account)?;
    Some(ListedQuota { code, value, period_seconds })
}

/// The length of a period, if its unit is known. A rate whose quota has no period is one of requests a second.
fn seconds(period: &QuotaPeriod) -> Option<f64> {
    let unit = match period.period_unit.as_ref()? {
        PeriodUnit::Microsecond => 1e-6,
        PeriodUnit::Millisecond => 1e-3,
        PeriodUnit::Second => 1.0,
        PeriodUnit::Minute => 60.0,
        PeriodUnit::Hour => 3600.0,
        PeriodUnit::Day => 86_400.0,
        PeriodUnit::Week => 604_800.0,
        _ => return None,
    };
    Some(f64::from(period.period_value.filter(|value| *value > 0)?) * unit)
}
