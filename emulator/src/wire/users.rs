//! `ListUsers`.

use serde_json::{Value, json};

use super::{clock::Clock, page::Page, request::Received};
use crate::{error::ApiError, operation::Operation, state::Instance, switches::Switches};

pub(super) fn list(
    received: &Received,
    instance: &Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let instance_id = received.instance_id()?;
    let page = Page::new(Operation::ListUsers, received.max_results()?, received.next_token(), switches)?;
    instance.check_id(instance_id)?;
    let users = instance.users_after(&page.after).map(|(id, user)| {
        let summary = json!({
            "Id": id,
            "Arn": instance.user_arn(id),
            "Username": user.username,
            "LastModifiedTime": clock.timestamp(user.last_modified.max(user.config_modified)),
            "LastModifiedRegion": instance.region(),
        });
        (id.clone(), summary)
    });
    Ok(page.fill(users).into_body("UserSummaryList", json!({})))
}
