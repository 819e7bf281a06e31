//! `ListServiceQuotas` of Service Quotas, for what it says of Connect.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    page::Page,
    request::{Received, check_length, required},
};
use crate::{error::ApiError, operation::Operation, state::Instance, switches::Switches, throttle::Quotas};

/// The quota code of each operation that has one: of `UpdateUserConfig` no listing is known that shows it.
fn code(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ListUserProficiencies => Some("L-A59C54EE"),
        Operation::AssociateUserProficiencies => Some("L-2CCBA953"),
        Operation::UpdateUserProficiencies => Some("L-5A3065E6"),
        Operation::DisassociateUserProficiencies => Some("L-53E03705"),
        Operation::ListUsers => Some("L-CCC38177"),
        Operation::SearchPredefinedAttributes => Some("L-DB5F63B4"),
        Operation::DescribePredefinedAttribute => Some("L-753B94AB"),
        Operation::DescribeUser => Some("L-EE6F0D82"),
        Operation::UpdateUserConfig | Operation::ListServiceQuotas => None,
    }
}

/// Quotas of operations that are not emulated, and of other things: code, name, value, and whether it is a rate.
const OTHERS: [(&str, &str, f64, bool); 7] = [
    ("L-3828FBF0", "Predefined attributes per instance", 150.0, false),
    ("L-50375162", "Proficiencies per agent", 10.0, false),
    ("L-5D8210C3", "Rate of UpdateUserPhoneConfig API requests", 2.0, true),
    ("L-9A46857E", "Users per instance", 500.0, false),
    ("L-BE2447CC", "Rate of ListPredefinedAttributes API requests", 10.0, true),
    ("L-D14CF86E", "Rate of DescribeInstance API requests", 2.0, true),
    ("L-E2C35CCE", "Rate of SearchUsers API requests", 2.0, true),
];

/// As the header `X-Amz-Target` names it.
const TARGET: &str = "ServiceQuotasV20190624.ListServiceQuotas";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    service_code: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub(super) fn list(
    received: &Received,
    instance: &Instance,
    switches: &Switches,
    quotas: &Quotas,
) -> Result<Value, ApiError> {
    received.check_target(TARGET)?;
    let Request { service_code, max_results, next_token } = received.body()?;
    let service_code = required(service_code, "ServiceCode")?;
    check_length(&service_code, "serviceCode", 1..=63)?;
    if service_code != "connect" {
        return Err(ApiError::new(400, "NoSuchResourceException", format!("There is no service '{service_code}'.")));
    }
    let page = Page::new(Operation::ListServiceQuotas, max_results, next_token.as_deref(), switches)?;
    let listed = all(quotas).into_iter().filter(|(code, ..)| *code > page.after.as_str());
    let listed =
        listed.map(|(code, name, value, is_rate)| (code.to_owned(), quota(instance, code, &name, value, is_rate)));
    Ok(page.fill(listed).into_body("Quotas", json!({})))
}

/// All quotas in the order of their codes. What has no limit has no quota.
fn all(quotas: &Quotas) -> Vec<(&'static str, String, f64, bool)> {
    let of_operation = |operation: Operation| {
        let name = format!("Rate of {operation} API requests");
        Some((code(operation)?, name, quotas.listed(operation)?, true))
    };
    let others = OTHERS.map(|(code, name, value, is_rate)| (code, name.to_owned(), value, is_rate));
    let mut all: Vec<_> = Operation::ALL.into_iter().filter_map(of_operation).chain(others).collect();
    all.sort_by_key(|(code, ..)| *code);
    all
}

fn quota(instance: &Instance, code: &str, name: &str, value: f64, is_rate: bool) -> Value {
    let (region, account) = (instance.region(), instance.account());
    let mut quota = json!({
        "ServiceCode": "connect",
        "ServiceName": "Amazon Connect",
        "QuotaArn": format!("arn:aws:servicequotas:{region}:{account}:connect/{code}"),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    });
    if is_rate {
        quota["Period"] = json!({ "PeriodValue": 1, "PeriodUnit": "SECOND" });
    }
    quota
}
