//! REST-JSON 1.1 as Connect speaks it, and for its quotas AWS JSON 1.1 as Service Quotas does: URIs and bodies in, bodies and
//! error headers out.

mod attributes;
mod clock;
mod page;
mod proficiencies;
mod quotas;
mod request;
mod response;
mod user_config;
mod users;

use serde_json::Value;

pub(crate) use self::{
    clock::Clock,
    request::Received,
    response::{CutMark, Reply, render},
};

use crate::{error::ApiError, operation::Operation, state::Instance, switches::Switches, throttle::Quotas};

/// Does what a call asks for, apart from everything that may go wrong around it.
pub(crate) fn perform(
    operation: Operation,
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    quotas: &Quotas,
    clock: Clock,
) -> Result<Value, ApiError> {
    match operation {
        Operation::ListUserProficiencies => proficiencies::list(received, instance, switches, clock),
        Operation::AssociateUserProficiencies => proficiencies::associate(received, instance, switches, clock),
        Operation::UpdateUserProficiencies => proficiencies::update(received, instance, switches, clock),
        Operation::DisassociateUserProficiencies => proficiencies::disassociate(received, instance, switches, clock),
        Operation::ListUsers => users::list(received, instance, switches, clock),
        Operation::SearchPredefinedAttributes => attributes::search(received, instance, switches, clock),
        Operation::DescribePredefinedAttribute => attributes::describe(received, instance, clock),
        Operation::DescribeUser => user_config::describe(received, instance, clock),
        Operation::UpdateUserConfig => user_config::update(received, instance, switches, clock),
        Operation::ListServiceQuotas => quotas::list(received, instance, switches, quotas),
    }
}
