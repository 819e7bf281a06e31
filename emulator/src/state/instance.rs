//! An instance: what it holds, and how tests put that in place and look at it.

use std::{collections::BTreeMap, ops::Bound, time::Duration};

use super::{
    attributes::{Attributes, PredefinedAttribute},
    user_config::UserConfig,
};
use crate::{error::ApiError, switches::Switches};

/// The quota of proficiencies per user that a new instance has (Connect service quotas).
pub const DEFAULT_MAX_PROFICIENCIES: usize = 10;

/// What a user is good at: the level of each pair of attribute name and value.
///
/// The pair is the identity: one attribute may have several values for one user.
pub type ProficiencySet = BTreeMap<(String, String), f32>;

/// One Amazon Connect instance: its predefined attributes, its users, what they are good at and how they are set up.
///
/// ```
/// use connect_emulator::Instance;
///
/// let instance = Instance::new("11111111-2222-3333-4444-555555555555")
///     .with_attribute("Product", ["Phone", "Tablet"])
///     .with_user("user-1", "jdoe", [("Product", "Phone", 3.0)]);
/// assert_eq!(instance.level("user-1", "Product", "Phone"), Some(3.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    id: String,
    region: String,
    account: String,
    pub(super) max_proficiencies: usize,
    pub(super) attributes: Attributes,
    pub(super) users: BTreeMap<String, User>,
}

/// One user of an instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) proficiencies: ProficiencySet,
    /// When the proficiencies were last changed, counted from the emulator's start.
    pub(crate) last_modified: Duration,
    pub(crate) config: UserConfig,
    /// When the settings were last changed, counted from the emulator's start.
    pub(crate) config_modified: Duration,
    /// The fewest proficiencies that the user was left with by any write.
    smallest_set: Option<usize>,
}

impl Instance {
    /// An instance without users, and with no attributes but the system's own (`connect:Language`
    /// and `connect:Subtype`).
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            region: "eu-central-1".to_owned(),
            account: "123456789012".to_owned(),
            max_proficiencies: DEFAULT_MAX_PROFICIENCIES,
            attributes: Attributes::system(),
            users: BTreeMap::new(),
        }
    }

    /// Puts the instance into another Region and account; it shows in its ARNs only.
    #[must_use]
    pub fn located(mut self, region: impl Into<String>, account: impl Into<String>) -> Self {
        self.region = region.into();
        self.account = account.into();
        self
    }

    /// Sets the quota of proficiencies per user.
    #[must_use]
    pub fn with_max_proficiencies(mut self, max: usize) -> Self {
        self.max_proficiencies = max;
        self
    }

    /// See [`Instance::add_attribute`].
    #[must_use]
    pub fn with_attribute<V: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.add_attribute(name, values);
        self
    }

    /// See [`Instance::add_user`].
    #[must_use]
    pub fn with_user<N: Into<String>, V: Into<String>>(
        mut self,
        id: impl Into<String>,
        username: impl Into<String>,
        proficiencies: impl IntoIterator<Item = (N, V, f32)>,
    ) -> Self {
        self.add_user(id, username, proficiencies);
        self
    }

    /// Adds a predefined attribute, or values to one that is there.
    pub fn add_attribute<V: Into<String>>(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = V>) {
        self.attributes.add(name.into(), values.into_iter().map(Into::into));
    }

    /// Takes away a predefined attribute; whoever is associated with it stays so.
    pub fn remove_attribute(&mut self, name: &str) {
        self.attributes.remove(name);
    }

    /// Adds a user, or puts another in its place. What it is good at is not checked against the
    /// attributes of the instance or the quota.
    pub fn add_user<N: Into<String>, V: Into<String>>(
        &mut self,
        id: impl Into<String>,
        username: impl Into<String>,
        proficiencies: impl IntoIterator<Item = (N, V, f32)>,
    ) {
        let proficiencies =
            proficiencies.into_iter().map(|(name, value, level)| ((name.into(), value.into()), level)).collect();
        let user = User {
            username: username.into(),
            proficiencies,
            last_modified: Duration::ZERO,
            config: UserConfig::default(),
            config_modified: Duration::ZERO,
            smallest_set: None,
        };
        self.users.insert(id.into(), user);
    }

    /// See [`Instance::set_config`].
    #[must_use]
    pub fn with_config(mut self, user_id: &str, config: UserConfig) -> Self {
        self.set_config(user_id, config);
        self
    }

    /// Puts all settings of a user in place, as somebody at the console would: past all checks. There is nothing to do
    /// for a user who is not there.
    pub fn set_config(&mut self, user_id: &str, config: UserConfig) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.config = config;
        }
    }

    /// Takes away a user.
    pub fn remove_user(&mut self, id: &str) {
        self.users.remove(id);
    }

    /// Gives a user a proficiency, or takes it away with `None`, as somebody at the console would:
    /// past all checks, and not counted as a write. There is nothing to do for a user who is not there.
    pub fn set_level(&mut self, user_id: &str, name: &str, value: &str, level: Option<f32>) {
        let Some(user) = self.users.get_mut(user_id) else {
            return;
        };
        let pair = (name.to_owned(), value.to_owned());
        match level {
            Some(level) => user.proficiencies.insert(pair, level),
            None => user.proficiencies.remove(&pair),
        };
    }

    /// One attribute by its exact name, the system's own among them.
    pub fn attribute(&self, name: &str) -> Result<&PredefinedAttribute, ApiError> {
        self.attributes.get(name)
    }

    /// The attributes that a search can find, by name: not the system's own, and not those that its
    /// index has not caught up with.
    pub fn searchable_attributes<'a>(
        &'a self,
        switches: &'a Switches,
    ) -> impl Iterator<Item = (&'a String, &'a PredefinedAttribute)> {
        self.attributes.searchable(switches)
    }

    /// The id of the instance.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The ARN of the instance.
    pub fn arn(&self) -> String {
        let Self { id, region, account, .. } = self;
        format!("arn:aws:connect:{region}:{account}:instance/{id}")
    }

    /// The ARN that a user of this instance has, whether or not there is such a user.
    pub fn user_arn(&self, user_id: &str) -> String {
        format!("{}/agent/{user_id}", self.arn())
    }

    /// The Region that the instance is in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The number of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// All users, by id: `(id, username)`.
    pub fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        self.users.iter().map(|(id, user)| (id.as_str(), user.username.as_str()))
    }

    /// What a user is good at; empty for a user who is not there.
    pub fn proficiencies(&self, user_id: &str) -> ProficiencySet {
        let user = self.users.get(user_id);
        user.map(|user| user.proficiencies.clone()).unwrap_or_default()
    }

    /// The settings of a user; none for a user who is not there.
    pub fn config(&self, user_id: &str) -> UserConfig {
        self.users.get(user_id).map(|user| user.config.clone()).unwrap_or_default()
    }

    /// The level of one proficiency of a user.
    pub fn level(&self, user_id: &str, name: &str, value: &str) -> Option<f32> {
        let pair = (name.to_owned(), value.to_owned());
        self.users.get(user_id)?.proficiencies.get(&pair).copied()
    }

    /// The fewest proficiencies that a user was left with by any write so far; before the first write
    /// it is how many the user has. Zero for a user who is not there.
    pub fn smallest_set(&self, user_id: &str) -> usize {
        self.users.get(user_id).map_or(0, |user| user.smallest_set.unwrap_or(user.proficiencies.len()))
    }

    /// Checks that a request means this instance: by its id or its ARN.
    pub(crate) fn check_id(&self, given: &str) -> Result<(), ApiError> {
        if given == self.id || given == self.arn() {
            return Ok(());
        }
        Err(ApiError::not_found(format!("Instance not found. InstanceId: {given}")))
    }

    /// The plain id in what a request calls a user: an id or an ARN of this instance.
    pub(crate) fn plain_user_id<'a>(&self, given: &'a str) -> &'a str {
        given.strip_prefix(&self.user_arn("")).unwrap_or(given)
    }

    /// A user by its plain id.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.users.get(id).ok_or_else(|| no_user(id))
    }

    /// The users whose id is greater than `id`, in the order of ids.
    pub(crate) fn users_after(&self, id: &str) -> impl Iterator<Item = (&String, &User)> {
        self.users.range::<str, _>((Bound::Excluded(id), Bound::Unbounded))
    }
}

impl User {
    /// Puts a new set in the place of the old one.
    pub(super) fn replace(&mut self, set: ProficiencySet, now: Duration) {
        if set == self.proficiencies {
            return;
        }
        let smallest = self.smallest_set.unwrap_or(usize::MAX).min(set.len());
        self.smallest_set = Some(smallest);
        self.proficiencies = set;
        self.last_modified = now;
    }
}

/// The refusal of a user who is not there.
pub(super) fn no_user(id: &str) -> ApiError {
    ApiError::not_found(format!("User not found. UserId: {id}"))
}
