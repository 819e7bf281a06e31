//! Amazon Connect in our own types, each call at the pace of its lane.
//!
//! [`Connect`] is what the rest of the program sees. Below it: [`sdk`], the only place that knows the AWS SDK;
//! [`lanes`], where a call is sent until it is answered or given up; [`gate`], whether any call may go; [`lane`], whose
//! turn it is; [`breaker`], whether the service works; [`retry`], how often and how long; [`rate`], how fast;
//! [`quotas`], how fast it may be; [`error`], what a failure means; [`memory`], what the next delivery has to know; and
//! [`timeline`], what was called when.

mod breaker;
mod error;
mod gate;
mod lane;
mod lanes;
mod memory;
mod operation;
mod quotas;
mod rate;
mod retry;
mod sdk;
#[cfg(test)]
mod tests;
mod timeline;
mod types;
mod user_config;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::timeout;

pub(crate) use error::{ConnectError, ErrorKind, NOT_FOUND};
pub(crate) use lane::Calls;
pub(crate) use lanes::Lanes;
pub(crate) use memory::LaneMemory;
pub(crate) use operation::Operation;
pub(crate) use quotas::{AccountQuotas, OwnRate, Quota, RateSettings, Rates};
pub(crate) use rate::Rate;
pub(crate) use timeline::Timeline;
pub(crate) use types::{
    DirectoryUser, Level, MAX_ITEMS_PER_CALL, PredefinedAttribute, Proficiencies, Proficiency, ProficiencyKey, UserId,
};
pub(crate) use user_config::{Channel, ChannelSetting, List, Setting, UserConfig, Value};

use lanes::Probe;
use types::Page;

/// How often a list is begun before a refused page token is an error.
const MAX_LISTINGS: u32 = 4;

/// Service Quotas only says how fast an import may be: it is not waited for.
const QUOTAS_TIMEOUT: Duration = Duration::from_secs(5);

/// An instance, called at the pace that its quotas allow.
#[derive(Debug)]
pub struct Connect {
    sdk: sdk::Sdk,
    service_quotas: sdk::ServiceQuotas,
    instance_id: String,
    lanes: Lanes,
}

impl Connect {
    /// An instance by its id, not its ARN. The client's own retries must be off: they would bypass the lanes.
    #[expect(clippy::disallowed_types, reason = "handed through to the adapters")]
    pub fn new(
        client: aws_sdk_connect::Client,
        service_quotas: aws_sdk_servicequotas::Client,
        instance_id: &str,
        lanes: Lanes,
    ) -> Self {
        Self {
            sdk: sdk::Sdk::new(client, instance_id),
            service_quotas: sdk::ServiceQuotas::new(service_quotas),
            instance_id: instance_id.to_owned(),
            lanes,
        }
    }

    /// From now on each operation is called as often as the settings say, or as the account may. Returns what is not known of the
    /// account, in a sentence.
    pub async fn set_pace(&self, settings: &RateSettings, is_resumed: bool) -> Option<String> {
        if !settings.asks_for_account() {
            return None;
        }
        let (account, complaint) = match self.account_quotas().await {
            Ok(account) => (account.clone(), account.complaint()),
            Err(why) => (AccountQuotas::default(), Some(why)),
        };
        self.lanes.set_rates(settings.rates(&account), is_resumed);
        complaint
    }

    /// What Service Quotas says that the account may, or why that is not known, within some seconds.
    async fn account_quotas(&self) -> Result<AccountQuotas, String> {
        match timeout(QUOTAS_TIMEOUT, self.service_quotas.list()).await {
            Ok(listed) => Ok(AccountQuotas::of(&listed?)),
            Err(_) => Err(format!("no answer within {} seconds", QUOTAS_TIMEOUT.as_secs())),
        }
    }

    /// The lanes: their counts, their memory, and the start and the end of a delivery.
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Every user of the instance, complete or an error.
    pub async fn list_users(&self) -> Result<Vec<DirectoryUser>, ConnectError> {
        self.all_pages(Operation::ListUsers, None, async |token| self.sdk.list_users(token).await).await
    }

    /// Whether users can be listed: one is asked for.
    pub async fn try_list_users(&self) -> Result<(), ConnectError> {
        self.call(Operation::ListUsers, async || self.sdk.one_user().await.map_err(|error| self.named(error))).await
    }

    /// Every predefined attribute that the search shows, complete or an error.
    pub async fn search_predefined_attributes(&self) -> Result<Vec<PredefinedAttribute>, ConnectError> {
        let operation = Operation::SearchPredefinedAttributes;
        self.all_pages(operation, None, async |token| self.sdk.search_predefined_attributes(token).await).await
    }

    /// One predefined attribute by its name, or nothing if there is none.
    pub async fn describe_predefined_attribute(&self, name: &str) -> Result<Option<PredefinedAttribute>, ConnectError> {
        let operation = Operation::DescribePredefinedAttribute;
        match self.call(operation, async || self.sdk.describe_predefined_attribute(name).await).await {
            Ok(attribute) => Ok(Some(attribute)),
            Err(error) if error.means_no_such_name() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All proficiencies of a user, complete or an error.
    pub async fn list_user_proficiencies(&self, user_id: &UserId) -> Result<Proficiencies, ConnectError> {
        let operation = Operation::ListUserProficiencies;
        let page = async |token| self.sdk.list_user_proficiencies(user_id, token).await;
        let held = self.all_pages(operation, Some(user_id), page).await?;
        Ok(held.into_iter().map(|held| (held.pair, held.level)).collect())
    }

    /// Gives a user proficiencies that it does not have, at most [`MAX_ITEMS_PER_CALL`] at a time.
    pub async fn associate(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        self.call(Operation::AssociateUserProficiencies, async || self.sdk.associate(user_id, items).await).await
    }

    /// Changes levels of a user's proficiencies, at most [`MAX_ITEMS_PER_CALL`] at a time.
    pub async fn update(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        self.call(Operation::UpdateUserProficiencies, async || self.sdk.update(user_id, items).await).await
    }

    /// Takes proficiencies from a user, at most [`MAX_ITEMS_PER_CALL`] at a time.
    pub async fn disassociate(&self, user_id: &UserId, pairs: &[ProficiencyKey]) -> Result<(), ConnectError> {
        self.call(Operation::DisassociateUserProficiencies, async || self.sdk.disassociate(user_id, pairs).await).await
    }

    /// All settings per channel of a user, complete or an error. Times are in seconds.
    pub async fn describe_user(&self, user_id: &UserId) -> Result<UserConfig, ConnectError> {
        let attempt = async || self.sdk.describe_user(user_id).await;
        self.lanes.call(Operation::DescribeUser, Some(user_id), attempt, &self.sdk).await
    }

    /// Changes settings of a user. A list of which `lists` has a setting is sent with all that `lists` has of it; the other
    /// lists are left out. The documents do not say whether the service keeps the channels that a sent list does not name:
    /// name them all.
    pub async fn update_user_config(&self, user_id: &UserId, lists: &UserConfig) -> Result<(), ConnectError> {
        self.call(Operation::UpdateUserConfig, async || self.sdk.update_user_config(user_id, lists).await).await
    }

    async fn call<T>(
        &self,
        operation: Operation,
        attempt: impl AsyncFn() -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        self.lanes.call(operation, None, attempt, &self.sdk).await
    }

    /// Lists all pages. A page token lives for a time only: if one is refused, lists anew from the beginning, a few times.
    async fn all_pages<T>(
        &self,
        operation: Operation,
        reads: Option<&UserId>,
        page: impl AsyncFn(Option<String>) -> Result<Page<T>, ConnectError>,
    ) -> Result<Vec<T>, ConnectError> {
        let mut listings = 1;
        loop {
            if let Some(items) = self.list(operation, reads, &page, listings == MAX_LISTINGS).await? {
                return Ok(items);
            }
            listings += 1;
        }
    }

    /// Follows the page tokens to the end, or to one that is refused: then nothing, or in the last listing the refusal. An
    /// empty page may have a successor. A token that comes twice is an error, for it would never end.
    async fn list<T>(
        &self,
        operation: Operation,
        reads: Option<&UserId>,
        page: &impl AsyncFn(Option<String>) -> Result<Page<T>, ConnectError>,
        is_last: bool,
    ) -> Result<Option<Vec<T>>, ConnectError> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        let mut seen = HashSet::new();
        loop {
            let attempt = async || match page(token.clone()).await {
                Ok(page) if page.next_token.as_ref().is_some_and(|next| seen.contains(next)) => {
                    Err(ConnectError::incomplete(operation, "the same page token twice"))
                }
                // The first page was answered, so it is the token that is refused.
                Err(error) if token.is_some() && !is_last && error.is_refusal() => Ok(None),
                answer => answer.map(Some).map_err(|error| self.named(error)),
            };
            let Some(page) = self.lanes.call(operation, reads, attempt, &self.sdk).await? else { return Ok(None) };
            items.extend(page.items);
            token = page.next_token.filter(|token| !token.is_empty());
            let Some(token) = &token else { return Ok(Some(items)) };
            seen.insert(token.clone());
        }
    }

    /// Names the instance in the refusal of a call that asks for it.
    fn named(&self, error: ConnectError) -> ConnectError {
        if !(error.operation.is_instance_wide() && error.code == NOT_FOUND) {
            return error;
        }
        let message = format!("the instance {} was not found: {}", self.instance_id, error.message);
        ConnectError { message, ..error }
    }
}

impl Probe for sdk::Sdk {
    async fn ask_for(&self, operation: Operation, user: &UserId) -> Result<(), ConnectError> {
        match operation {
            Operation::DescribeUser => self.describe_user(user).await.map(drop),
            _ => self.list_user_proficiencies(user, None).await.map(drop),
        }
    }

    async fn ask(&self, operation: Operation) -> Result<(), ConnectError> {
        match operation {
            Operation::ListUsers => self.one_user().await,
            _ => self.one_predefined_attribute().await,
        }
    }
}
