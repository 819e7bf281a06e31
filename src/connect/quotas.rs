//! How often each operation may be called: what the settings say, or a share of what Service Quotas says that the account
//! may. Pure.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use super::rate::{Rate, at_least_one};

/// Connect's documented rate of every operation that is called here ("Amazon Connect service quotas": 2 a second, 5 at once).
const DEFAULT_PER_SECOND: f64 = 2.0;
/// What Service Quotas says outside of this is no quota.
const PLAUSIBLE_PER_SECOND: RangeInclusive<f64> = 0.1..=1000.0;

/// The code under which Service Quotas lists an operation of `connect`, as a listing of a real account shows them. It shows
/// none of `UpdateUserConfig`, which is younger.
const fn quota_code(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ListUsers => Some("L-CCC38177"),
        Operation::SearchPredefinedAttributes => Some("L-DB5F63B4"),
        Operation::DescribePredefinedAttribute => Some("L-753B94AB"),
        Operation::ListUserProficiencies => Some("L-A59C54EE"),
        Operation::AssociateUserProficiencies => Some("L-2CCBA953"),
        Operation::UpdateUserProficiencies => Some("L-5A3065E6"),
        Operation::DisassociateUserProficiencies => Some("L-53E03705"),
        Operation::DescribeUser => Some("L-EE6F0D82"),
        Operation::UpdateUserConfig => None,
    }
}

/// Where the rate of an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateSource {
    /// A share of the account's quota.
    ServiceQuotas,
    /// `REQUESTS_PER_SECOND` or `REQUEST_RATES`.
    Setting,
    /// Connect's documented default, because the account's quota is not known.
    Default,
}

impl RateSource {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::ServiceQuotas => "a share of the account's quota",
            Self::Setting => "a setting",
            Self::Default => "Connect's default",
        }
    }
}

/// How often an operation may be called, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: NonZeroU32,
    /// Where the rate comes from.
    pub from: RateSource,
}

/// The quotas of all operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    quotas: BTreeMap<Operation, Quota>,
    total_per_second: Option<f64>,
}

impl Rates {
    /// What one operation may.
    pub fn of(&self, operation: Operation) -> Rate {
        let Quota { rate, burst, .. } = self.quotas[&operation];
        Rate { per_second: rate, burst }
    }

    /// What an operation may in the long run, the bucket over all operations among it.
    pub fn per_second(&self, operation: Operation) -> f64 {
        self.of(operation).per_second.min(self.total_per_second.unwrap_or(f64::INFINITY))
    }

    /// What all operations together may, as a rate with a burst of one second's worth.
    pub fn total(&self) -> Option<Rate> {
        self.total_per_second.map(|per_second| Rate { per_second, burst: at_least_one(per_second) })
    }

    /// The quotas by the names of their operations.
    pub fn by_name(&self) -> BTreeMap<String, Quota> {
        self.quotas.iter().map(|(operation, quota)| (operation.name().to_owned(), *quota)).collect()
    }
}

/// What the settings say of quotas.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSettings {
    /// Requests a second of each operation; nothing for the account's own quota.
    pub per_second: Option<f64>,
    /// Requests at once of each operation.
    pub burst: NonZeroU32,
    /// What is said of single operations.
    pub of: BTreeMap<Operation, OwnRate>,
    /// One more bucket over all operations together, in requests a second.
    pub total_per_second: Option<f64>,
    /// The share of the account's quota that may be used, in percent.
    pub share_percent: f64,
}

/// What the settings say of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRate {
    /// Requests a second.
    pub rate: Option<f64>,
    /// Requests at once.
    pub burst: Option<NonZeroU32>,
}

impl RateSettings {
    /// The same quota for each operation.
    pub fn fixed(rate: Rate) -> Self {
        let Rate { per_second, burst } = rate;
        Self { per_second: Some(per_second), burst, of: BTreeMap::new(), total_per_second: None, share_percent: 100.0 }
    }

    /// Whether the account's quotas matter.
    pub fn asks_for_account(&self) -> bool {
        let is_open = |operation| self.of.get(&operation).is_none_or(|own| own.rate.is_none());
        self.per_second.is_none() && Operation::ALL.into_iter().any(is_open)
    }

    /// What each operation may, with what is known of the account.
    pub fn rates(&self, account: &AccountQuotas) -> Rates {
        let quota = |operation| {
            let own = self.of.get(&operation).copied().unwrap_or_default();
            let (rate, from) = match (own.rate.or(self.per_second), account.per_second.get(&operation)) {
                (Some(rate), _) => (rate, RateSource::Setting),
                (None, Some(quota)) => (quota * self.share_percent / 100.0, RateSource::ServiceQuotas),
                (None, None) => (DEFAULT_PER_SECOND, RateSource::Default),
            };
            (operation, Quota { rate, burst: own.burst.unwrap_or(self.burst), from })
        };
        Rates { quotas: Operation::ALL.map(quota).into(), total_per_second: self.total_per_second }
    }
}

/// A quota as Service Quotas lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ListedQuota {
    /// `L-A59C54EE`.
    pub(super) code: String,
    /// What it allows in each period.
    pub(super) value: f64,
    /// The length of the period.
    pub(super) period_seconds: f64,
}

/// What is known of the account's quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountQuotas {
    per_second: BTreeMap<Operation, f64>,
    /// What is listed and cannot be meant, in requests a second.
    implausible: BTreeMap<Operation, f64>,
}

impl AccountQuotas {
    /// Out of a whole listing. Of a quota that is listed twice the least counts.
    pub(super) fn of(listed: &[ListedQuota]) -> Self {
        let mut account = Self::default();
        for operation in Operation::ALL {
            let is_of = |quota: &&ListedQuota| quota_code(operation) == Some(quota.code.as_str());
            for quota in listed.iter().filter(is_of) {
                let per_second = quota.value / quota.period_seconds;
                let is_plausible = PLAUSIBLE_PER_SECOND.contains(&per_second);
                let known = if is_plausible { &mut account.per_second } else { &mut account.implausible };
                known.entry(operation).and_modify(|least| *least = per_second.min(*least)).or_insert(per_second);
            }
        }
        account
    }

    /// What is wrong with the listing, in a sentence.
    pub fn complaint(&self) -> Option<String> {
        if !self.implausible.is_empty() {
            let said =
                self.implausible.iter().map(|(operation, per_second)| format!("{operation} {per_second} a second"));
            let said = said.collect::<Vec<_>>().join(", ");
            return Some(format!("Service Quotas lists what is implausible: {said}"));
        }
        self.per_second.is_empty().then(|| "Service Quotas lists no quota of an operation that is called".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{AssociateUserProficiencies, DescribeUser, ListUserProficiencies, ListUsers, UpdateUserConfig};

    fn listed(quotas: &[(&str, f64, f64)]) -> Vec<ListedQuota> {
        let quota = |&(code, value, period_seconds): &(&str, f64, f64)| ListedQuota {
            code: code.to_owned(),
            value,
            period_seconds,
        };
        quotas.iter().map(quota).collect()
    }

    fn auto(share_percent: f64) -> RateSettings {
        RateSettings { per_second: None, share_percent, ..RateSettings::fixed(rate(1.0, 5)) }
    }

    fn rate(per_second: f64, burst: u32) -> Rate {
        Rate { per_second, burst: NonZeroU32::new(burst).unwrap() }
    }

    fn shown(rates: &Rates, operation: Operation) -> (f64, u32, RateSource) {
        let quota = rates.quotas[&operation];
        (quota.rate, quota.burst.get(), quota.from)
    }

    #[test]
    fn a_share_of_what_the_account_may_is_used_and_the_default_where_that_is_not_known() {
        let account = AccountQuotas::of(&listed(&[
            ("L-A59C54EE", 10.0, 1.0),
            ("L-2CCBA953", 2.0, 1.0),
            ("L-EE6F0D82", 600.0, 60.0),
            ("L-50375162", 10.0, 1.0),
        ]));
        assert_eq!(account.complaint(), None);
        let rates = auto(90.0).rates(&account);
        assert_eq!(shown(&rates, ListUserProficiencies), (9.0, 5, RateSource::ServiceQuotas));
        assert_eq!(shown(&rates, AssociateUserProficiencies), (1.8, 5, RateSource::ServiceQuotas));
        assert_eq!(shown(&rates, DescribeUser), (9.0, 5, RateSource::ServiceQuotas), "600 a minute");
        assert_eq!(shown(&rates, UpdateUserConfig), (2.0, 5, RateSource::Default));
        assert_eq!(shown(&rates, ListUsers), (2.0, 5, RateSource::Default));
    }

    #[test]
    fn what_cannot_be_meant_is_no_quota() {
        let codes = ["L-A59C54EE", "L-CCC38177", "L-EE6F0D82", "L-2CCBA953", "L-5A3065E6"];
        let values = [0.0, 1e9, f64::NAN, -1.0, 1000.0];
        let quotas: Vec<_> = codes.into_iter().zip(values).map(|(code, value)| (code, value, 1.0)).collect();
        let account = AccountQuotas::of(&listed(&quotas));
        assert_eq!(account.per_second, [(Operation::UpdateUserProficiencies, 1000.0)].into());
        let complaint = account.complaint().unwrap();
        assert!(complaint.contains("ListUserProficiencies 0 a second"), "{complaint}");
        assert!(complaint.contains("ListUsers 1000000000 a second"), "{complaint}");
        assert!(AccountQuotas::of(&[]).complaint().is_some());
        let twice = AccountQuotas::of(&listed(&[("L-A59C54EE", 10.0, 1.0), ("L-A59C54EE", 4.0, 1.0)]));
        assert_eq!(twice.per_second, [(ListUserProficiencies, 4.0)].into());
    }

    #[test]
    fn what_is_set_wins() {
        let account = AccountQuotas::of(&listed(&[("L-A59C54EE", 10.0, 1.0), ("L-CCC38177", 10.0, 1.0)]));
        let own = |rate, burst| OwnRate { rate, burst: NonZeroU32::new(burst) };
        let of = [(ListUserProficiencies, own(Some(7.0), 0)), (ListUsers, own(None, 9))];
        let rates = RateSettings { of: of.into(), ..auto(50.0) }.rates(&account);
        assert_eq!(shown(&rates, ListUserProficiencies), (7.0, 5, RateSource::Setting));
        assert_eq!(shown(&rates, ListUsers), (5.0, 9, RateSource::ServiceQuotas));
        let fixed = RateSettings::fixed(rate(3.0, 4));
        assert!(!fixed.asks_for_account() && auto(50.0).asks_for_account());
        assert_eq!(shown(&fixed.rates(&account), ListUsers), (3.0, 4, RateSource::Setting));
        let all = Operation::ALL.map(|operation| (operation, own(Some(7.0), 0)));
        assert!(!RateSettings { of: all.into(), ..auto(50.0) }.asks_for_account());
    }
}
