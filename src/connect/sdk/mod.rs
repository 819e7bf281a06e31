//! The adapter: our types to and from `aws_sdk_connect`. Each call is one attempt; the rules are elsewhere.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

mod user_config;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_connect::Client;
use aws_sdk_connect::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_connect::operation::RequestId;
use aws_sdk_connect::types::{UserProficiency, UserProficiencyDisassociate};
use aws_smithy_types::error::display::DisplayErrorContext;

use super::error::ConnectError;
use super::operation::Operation;
use super::types::{DirectoryUser, Level, Page, PredefinedAttribute, Proficiency, ProficiencyKey, UserId};
use super::user_config::UserConfig;

/// The largest pages that the service model allows.
const USERS_PER_PAGE: i32 = 1000;
const ATTRIBUTES_PER_PAGE: i32 = 100;
const PROFICIENCIES_PER_PAGE: i32 = 100;

/// A client and the instance that it calls.
#[derive(Debug)]
pub(super) struct Sdk {
    client: Client,
    instance_id: String,
}

impl Sdk {
    pub(super) fn new(client: Client, instance_id: &str) -> Self {
        Self { client, instance_id: instance_id.to_owned() }
    }

    pub(super) async fn list_users(&self, token: Option<String>) -> Result<Page<DirectoryUser>, ConnectError> {
        let operation = Operation::ListUsers;
        let call = self.client.list_users().instance_id(&self.instance_id);
        let answer =
            call.max_results(USERS_PER_PAGE).set_next_token(token).send().await.map_err(connect_error(operation))?;
        let users = answer.user_summary_list.unwrap_or_default().into_iter().map(|user| {
            let whole = user.id.zip(user.username).map(|(id, username)| DirectoryUser { id, username });
            whole.ok_or_else(|| ConnectError::incomplete(operation, "a user without id or username"))
        });
        Ok(Page { items: users.collect::<Result<_, _>>()?, next_token: answer.next_token })
    }

    pub(super) async fn search_predefined_attributes(
        &self,
        token: Option<String>,
    ) -> Result<Page<PredefinedAttribute>, ConnectError> {
        let operation = Operation::SearchPredefinedAttributes;
        let call = self.client.search_predefined_attributes().instance_id(&self.instance_id);
        let answer = call
            .max_results(ATTRIBUTES_PER_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(connect_error(operation))?;
        let attributes = answer.predefined_attributes.unwrap_or_default().into_iter();
        let items = attributes.map(|attribute| predefined(operation, attribute)).collect::<Result<_, _>>()?;
        Ok(Page { items, next_token: answer.next_token })
    }

    pub(super) async fn describe_predefined_attribute(&self, name: &str) -> Result<PredefinedAttribute, ConnectError> {
        let operation = Operation::DescribePredefinedAttribute;
        let call = self.client.describe_predefined_attribute().instance_id(&self.instance_id).name(name);
        let answer = call.send().await.map_err(connect_error(operation))?;
        let attribute = answer.predefined_attribute;
        predefined(
            operation,
            attribute.ok_or_else(|| ConnectError::incomplete(operation, "an answer without the attribute"))?,
        )
    }

    pub(super) async fn list_user_proficiencies(
        &self,
        user_id: &UserId,
        token: Option<String>,
    ) -> Result<Page<Proficiency>, ConnectError> {
        let call = self.client.list_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.max_results(PROFICIENCIES_PER_PAGE).set_next_token(token);
        let answer = call.send().await.map_err(connect_error(Operation::ListUserProficiencies))?;
        let held = answer.user_proficiency_list.unwrap_or_default().into_iter().map(|held| Proficiency {
            pair: ProficiencyKey { attribute: held.attribute_name.into(), value: held.attribute_value.into() },
            level: Level::from_wire(held.level),
        });
        Ok(Page { items: held.collect(), next_token: answer.next_token })
    }

    pub(super) async fn associate(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        let call = self.client.associate_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.set_user_proficiencies(Some(to_wire(items)?));
        call.send().await.map_err(connect_error(Operation::AssociateUserProficiencies)).map(drop)
    }

    pub(super) async fn update(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        let call = self.client.update_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.set_user_proficiencies(Some(to_wire(items)?));
        call.send().await.map_err(connect_error(Operation::UpdateUserProficiencies)).map(drop)
    }

    pub(super) async fn disassociate(&self, user_id: &UserId, pairs: &[ProficiencyKey]) -> Result<(), ConnectError> {
        let operation = Operation::DisassociateUserProficiencies;
        let call =
            self.client.disassociate_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let items = pairs.iter().map(|pair| {
            let item = UserProficiencyDisassociate::builder();
            item.attribute_name(&*pair.attribute).attribute_value(&*pair.value).build()
        });
        let items = items.collect::<Result<_, _>>().map_err(|error| ConnectError::incomplete(operation, error))?;
        call.set_user_proficiencies(Some(items)).send().await.map_err(connect_error(operation)).map(drop)
    }

    pub(super) async fn describe_user(&self, user_id: &UserId) -> Result<UserConfig, ConnectError> {
        let operation = Operation::DescribeUser;
        let call = self.client.describe_user().instance_id(&self.instance_id).user_id(user_id.as_str());
        let user = call.send().await.map_err(connect_error(operation))?.user;
        user_config::from_wire(user.ok_or_else(|| ConnectError::incomplete(operation, "an answer without the user"))?)
    }

    pub(super) async fn update_user_config(&self, user_id: &UserId, lists: &UserConfig) -> Result<(), ConnectError> {
        let operation = Operation::UpdateUserConfig;
        let lists = user_config::Lists::of(lists).map_err(|error| ConnectError::incomplete(operation, error))?;
        let call = self.client.update_user_config().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call
            .set_auto_accept_configs(lists.auto_accept)
            .set_after_contact_work_configs(lists.after_contact_work)
            .set_phone_number_configs(lists.phone_number)
            .set_persistent_connection_configs(lists.persistent_connection)
            .set_voice_enhancement_configs(lists.voice_enhancement);
        call.send().await.map_err(connect_error(operation)).map(drop)
    }

    /// The smallest question about the instance.
    pub(super) async fn probe(&self) -> Result<(), ConnectError> {
        let call = self.client.search_predefined_attributes().instance_id(&self.instance_id).max_results(1);
        call.send().await.map_err(connect_error(Operation::SearchPredefinedAttributes)).map(drop)
    }
}

fn to_wire(items: &[Proficiency]) -> Result<Vec<UserProficiency>, ConnectError> {
    let items = items.iter().map(|item| {
        let wire = UserProficiency::builder().attribute_name(&*item.pair.attribute);
        wire.attribute_value(&*item.pair.value).level(item.level.to_wire()).build()
    });
    items
        .collect::<Result<_, _>>()
        .map_err(|error| ConnectError::incomplete(Operation::AssociateUserProficiencies, error))
}

fn predefined(
    operation: Operation,
    attribute: aws_sdk_connect::types::PredefinedAttribute,
) -> Result<PredefinedAttribute, ConnectError> {
    let values = attribute.values.as_ref().and_then(|values| values.as_string_list().ok());
    let name =
        attribute.name.ok_or_else(|| ConnectError::incomplete(operation, "a predefined attribute without a name"))?;
    Ok(PredefinedAttribute { name, values: values.cloned().unwrap_or_default() })
}

fn connect_error<E>(operation: Operation) -> impl Fn(SdkError<E>) -> ConnectError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: RequestId,
{
    move |error| {
        if let Some(status) = error.raw_response().map(|raw| raw.status().as_u16()) {
            let (code, message) = (error.code(), error.message());
            return ConnectError::answered(operation, status, code, message, error.request_id());
        }
        let code = match &error {
            SdkError::TimeoutError(_) => "Timeout",
            _ if is_for_want_of_credentials(&error) => "CredentialsNotLoaded",
            _ => "ConnectionFailed",
        };
        ConnectError::unanswered(operation, code, DisplayErrorContext(&error))
    }
}

/// Whether a request was not sent because there are no credentials. Only its causes tell.
fn is_for_want_of_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<CredentialsError>)
}
