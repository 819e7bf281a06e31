//! The adapter to `aws_sdk_servicequotas`: what the account may.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::error::DisplayErrorContext;
use aws_sdk_servicequotas::types::{AppliedLevelEnum, PeriodUnit, QuotaPeriod, ServiceQuota};

use crate::connect::quotas::ListedQuota;

/// As Service Quotas names Amazon Connect.
const SERVICE_CODE: &str = "connect";
/// The largest page that the service model allows.
const QUOTAS_PER_PAGE: i32 = 100;

/// Service Quotas, with the SDK's own retries.
#[derive(Clone, Debug)]
pub(in crate::connect) struct ServiceQuotas {
    client: Client,
}

impl ServiceQuotas {
    pub(in crate::connect) fn new(client: Client) -> Self {
        Self { client }
    }

    /// All quotas of Connect that hold for the whole account, complete or an error in a sentence.
    pub(in crate::connect) async fn list(&self) -> Result<Vec<ListedQuota>, String> {
        let call = self.client.list_service_quotas().service_code(SERVICE_CODE);
        let mut pages = call.into_paginator().page_size(QUOTAS_PER_PAGE).send();
        let mut listed = Vec::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|error| DisplayErrorContext(error).to_string())?;
            listed.extend(page.quotas.unwrap_or_default().into_iter().filter_map(quota));
        }
        Ok(listed)
    }
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
