//! The adapter: our types to and from `aws_sdk_connect`, and in [`quotas`] from `aws_sdk_servicequotas`. A call to Connect is one
//! attempt; its rules are elsewhere.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

mod quotas;
mod user_config;

pub(super) use quotas::ServiceQuotas;

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
        let answer = Box::pin(call.max_results(USERS_PER_PAGE).set_next_token(token).send())
            .await
            .map_err(connect_error(operation))?;
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
        let call = call.max_results(ATTRIBUTES_PER_PAGE).set_next_token(token);
        let answer = Box::pin(call.send()).await.map_err(connect_error(operation))?;
        let attributes = answer.predefined_attributes.unwrap_or_default().into_iter();
        let items = attributes.map(|attribute| predefined(operation, attribute)).collect::<Result<_, _>>()?;
        Ok(Page { items, next_token: answer.next_token })
    }

    pub(super) async fn describe_predefined_attribute(&self, name: &str) -> Result<PredefinedAttribute, ConnectError> {
        let operation = Operation::DescribePredefinedAttribute;
        let call = self.client.describe_predefined_attribute().instance_id(&self.instance_id).name(name);
        let answer = Box::pin(call.send()).await.map_err(connect_error(operation))?;
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
        let operation = Operation::ListUserProficiencies;
        let call = self.client.list_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.max_results(PROFICIENCIES_PER_PAGE).set_next_token(token);
        let answer = Box::pin(call.send()).await.map_err(connect_error(operation))?;
        let held = answer.user_proficiency_list.unwrap_or_default().into_iter().map(|held| {
            // Where a member is missing, the SDK puts an empty text or 0.
            if held.attribute_name.is_empty() || held.attribute_value.is_empty() || held.level == 0.0 {
                return Err(ConnectError::incomplete(operation, "a proficiency without attribute, value or level"));
            }
            let pair = ProficiencyKey { attribute: held.attribute_name.into(), value: held.attribute_value.into() };
            Ok(Proficiency { pair, level: Level::from_wire(held.level) })
        });
        Ok(Page { items: held.collect::<Result<_, _>>()?, next_token: answer.next_token })
    }

    pub(super) async fn associate(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        let operation = Operation::AssociateUserProficiencies;
        let call = self.client.associate_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.set_user_proficiencies(Some(to_wire(operation, items)?));
        Box::pin(call.send()).await.map_err(connect_error(operation)).map(drop)
    }

    pub(super) async fn update(&self, user_id: &UserId, items: &[Proficiency]) -> Result<(), ConnectError> {
        let operation = Operation::UpdateUserProficiencies;
        let call = self.client.update_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call.set_user_proficiencies(Some(to_wire(operation, items)?));
        Box::pin(call.send()).await.map_err(connect_error(operation)).map(drop)
    }

    pub(super) async fn disassociate(&self, user_id: &UserId, pairs: &[ProficiencyKey]) -> Result<(), ConnectError> {
        let operation = Operation::DisassociateUserProficiencies;
        let call =
            self.client.disassociate_user_proficiencies().instance_id(&self.instance_id).user_id(user_id.as_str());
        let items = pairs.iter().map(|pair| {
            let item = UserProficiencyDisassociate::builder();
            item.attribute_name(&*pair.attribute).attribute_value(&*pair.value).build()
        });
        let items = items.collect::<Result<_, _>>().map_err(|error| ConnectError::not_built(operation, error))?;
        Box::pin(call.set_user_proficiencies(Some(items)).send()).await.map_err(connect_error(operation)).map(drop)
    }

    pub(super) async fn describe_user(&self, user_id: &UserId) -> Result<UserConfig, ConnectError> {
        let operation = Operation::DescribeUser;
        let call = self.client.describe_user().instance_id(&self.instance_id).user_id(user_id.as_str());
        let user = Box::pin(call.send()).await.map_err(connect_error(operation))?.user;
        user_config::from_wire(user.ok_or_else(|| ConnectError::incomplete(operation, "an answer without the user"))?)
    }

    pub(super) async fn update_user_config(&self, user_id: &UserId, lists: &UserConfig) -> Result<(), ConnectError> {
        let operation = Operation::UpdateUserConfig;
        let lists = user_config::Lists::of(lists).map_err(|error| ConnectError::not_built(operation, error))?;
        let call = self.client.update_user_config().instance_id(&self.instance_id).user_id(user_id.as_str());
        let call = call
            .set_auto_accept_configs(lists.auto_accept)
            .set_after_contact_work_configs(lists.after_contact_work)
            .set_phone_number_configs(lists.phone_number)
            .set_persistent_connection_configs(lists.persistent_connection)
            .set_voice_enhancement_configs(lists.voice_enhancement);
        // The body is completed before it is signed.
        let call = call.customize().map_request(|mut request| {
            let body = user_config::with_limits_of_zero(request.body().bytes().unwrap_or_default())?;
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = body.into();
            Ok::<_, serde_json::Error>(request)
        });
        Box::pin(call.send()).await.map_err(connect_error(operation)).map(drop)
    }

    /// The smallest question about the instance's attributes.
    pub(super) async fn one_predefined_attribute(&self) -> Result<(), ConnectError> {
        let call = self.client.search_predefined_attributes().instance_id(&self.instance_id).max_results(1);
        Box::pin(call.send()).await.map_err(connect_error(Operation::SearchPredefinedAttributes)).map(drop)
    }

    /// The smallest question about the instance's users.
    pub(super) async fn one_user(&self) -> Result<(), ConnectError> {
        let call = self.client.list_users().instance_id(&self.instance_id).max_results(1);
        Box::pin(call.send()).await.map_err(connect_error(Operation::ListUsers)).map(drop)
    }
}

fn to_wire(operation: Operation, items: &[Proficiency]) -> Result<Vec<UserProficiency>, ConnectError> {
    let items = items.iter().map(|item| {
        let wire = UserProficiency::builder().attribute_name(&*item.pair.attribute);
        wire.attribute_value(&*item.pair.value).level(item.level.to_wire()).build()
    });
    items.collect::<Result<_, _>>().map_err(|error| ConnectError::not_built(operation, error))
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
            SdkError::ConstructionFailure(_) => {
                return ConnectError::not_built(operation, DisplayErrorContext(&error));
            }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use import_testkit::clients::connect_config_to;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::connect::error::ErrorKind;
    use crate::connect::user_config::{Channel, ChannelSetting, Setting, Value};

    type Requests = Arc<Mutex<Vec<http::Request<Bytes>>>>;

    /// A client whose requests are kept, each answered by these bytes.
    fn sdk(answer: &'static str) -> (Sdk, Requests) {
        let requests = Requests::default();
        let kept = requests.clone();
        let answer = move |request: http::Request<Bytes>| {
            kept.lock().unwrap().push(request);
            async { Ok(http::Response::new(Bytes::from_static(answer.as_bytes()))) }
        };
        (Sdk::new(Client::from_conf(connect_config_to(answer).build()), "an-instance"), requests)
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_zero_is_on_the_wire() {
        let (sdk, requests) = sdk("{}");
        let setting = |channel, setting, value| (ChannelSetting::of(&channel, setting), value);
        let lists = UserConfig::from([
            setting(Channel::Chat, Setting::AfterContactWorkSeconds, Value::Seconds(0)),
            setting(Channel::Task, Setting::AfterContactWorkSeconds, Value::Seconds(30)),
            setting(Channel::Voice, Setting::AfterContactWorkSeconds, Value::Seconds(0)),
            setting(Channel::Voice, Setting::AgentFirstCallbackAfterContactWorkSeconds, Value::Seconds(0)),
            setting(Channel::Voice, Setting::AutoAccept, Value::Switch(false)),
            setting(Channel::Voice, Setting::AgentFirstCallbackAutoAccept, Value::Switch(false)),
            setting(Channel::Voice, Setting::PersistentConnection, Value::Switch(false)),
            setting(Channel::Voice, Setting::PhoneType, Value::text("DESK_PHONE")),
            setting(Channel::Voice, Setting::PhoneNumber, Value::text("+4930901820")),
        ]);
        sdk.update_user_config(&UserId::new("a-user"), &lists).await.unwrap();

        let requests = requests.lock().unwrap();
        let [request] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(request.uri().path(), "/users/an-instance/a-user/config");
        let limit = |seconds: u32| json!({"AfterContactWorkTimeLimit": seconds});
        let sent = json!({
            "AfterContactWorkConfigs": [
                {"Channel": "VOICE", "AfterContactWorkConfig": limit(0),
                 "AgentFirstCallbackAfterContactWorkConfig": limit(0)},
                {"Channel": "CHAT", "AfterContactWorkConfig": limit(0)},
                {"Channel": "TASK", "AfterContactWorkConfig": limit(30)},
            ],
            "AutoAcceptConfigs": [{"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": false}],
            "PersistentConnectionConfigs": [{"Channel": "VOICE", "PersistentConnection": false}],
            "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
        });
        assert_eq!(serde_json::from_slice::<Json>(request.body()).unwrap(), sent);
        assert_eq!(request.headers()["content-length"], request.body().len().to_string());
        assert!(request.headers().contains_key("authorization"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_lacks_a_member_is_an_error() {
        let whole = r#"{"UserProficiencyList":[{"AttributeName":"Language","AttributeValue":"German","Level":3.0}]}"#;
        let held = sdk(whole).0.list_user_proficiencies(&UserId::new("a-user"), None).await.unwrap();
        assert_eq!(held.items.len(), 1);
        for lacking in [
            r#"{"UserProficiencyList":[{"AttributeValue":"German","Level":3.0}]}"#,
            r#"{"UserProficiencyList":[{"AttributeName":"Language","Level":3.0}]}"#,
            r#"{"UserProficiencyList":[{"AttributeName":"Language","AttributeValue":"German"}]}"#,
        ] {
            let error = sdk(lacking).0.list_user_proficiencies(&UserId::new("a-user"), None).await.unwrap_err();
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Refused, "IncompleteAnswer"), "{lacking}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_cannot_be_built_is_not_tried_again() {
        let (sdk, requests) = sdk("{}");
        let error = sdk.list_user_proficiencies(&UserId::new(""), None).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Refused, "InvalidRequest"), "{error}");
        assert!(requests.lock().unwrap().is_empty());
    }
}
