//! The operations that the emulator answers.

use std::{fmt, str::FromStr};

use axum::routing::MethodFilter;
use serde::Deserialize;

/// One operation of Amazon Connect, named as in its service model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Operation {
    /// The proficiencies of one user.
    ListUserProficiencies,
    /// Gives a user proficiencies that it does not have yet.
    AssociateUserProficiencies,
    /// Changes the levels of proficiencies that a user has.
    UpdateUserProficiencies,
    /// Takes proficiencies from a user.
    DisassociateUserProficiencies,
    /// All users of an instance.
    ListUsers,
    /// The predefined attributes of an instance, with their values.
    SearchPredefinedAttributes,
    /// One predefined attribute, by its name.
    DescribePredefinedAttribute,
    /// One user, with its settings per channel.
    DescribeUser,
    /// Changes a user's settings per channel.
    UpdateUserConfig,
    /// Of Service Quotas: how often the account may call the operations of Connect.
    ListServiceQuotas,
}

/// How an operation goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// REST-JSON 1.1: a header names an error. Connect's.
    RestJson,
    /// AWS JSON 1.1: the body names it, too. That of Service Quotas.
    Json,
}

impl Operation {
    /// Every operation, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::ListUserProficiencies,
        Self::AssociateUserProficiencies,
        Self::UpdateUserProficiencies,
        Self::DisassociateUserProficiencies,
        Self::ListUsers,
        Self::SearchPredefinedAttributes,
        Self::DescribePredefinedAttribute,
        Self::DescribeUser,
        Self::UpdateUserConfig,
        Self::ListServiceQuotas,
    ];

    /// The name in the service model.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListUserProficiencies => "ListUserProficiencies",
            Self::AssociateUserProficiencies => "AssociateUserProficiencies",
            Self::UpdateUserProficiencies => "UpdateUserProficiencies",
            Self::DisassociateUserProficiencies => "DisassociateUserProficiencies",
            Self::ListUsers => "ListUsers",
            Self::SearchPredefinedAttributes => "SearchPredefinedAttributes",
            Self::DescribePredefinedAttribute => "DescribePredefinedAttribute",
            Self::DescribeUser => "DescribeUser",
            Self::UpdateUserConfig => "UpdateUserConfig",
            Self::ListServiceQuotas => "ListServiceQuotas",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        if self == Self::ListServiceQuotas { Protocol::Json } else { Protocol::RestJson }
    }

    /// The HTTP method and the URI pattern, both as in the service model.
    pub(crate) fn route(self) -> (MethodFilter, &'static str) {
        match self {
            Self::ListUserProficiencies => (MethodFilter::GET, "/users/{InstanceId}/{UserId}/proficiencies"),
            Self::AssociateUserProficiencies => {
                (MethodFilter::POST, "/users/{InstanceId}/{UserId}/associate-proficiencies")
            }
            Self::UpdateUserProficiencies => (MethodFilter::POST, "/users/{InstanceId}/{UserId}/proficiencies"),
            Self::DisassociateUserProficiencies => {
                (MethodFilter::POST, "/users/{InstanceId}/{UserId}/disassociate-proficiencies")
            }
            Self::ListUsers => (MethodFilter::GET, "/users-summary/{InstanceId}"),
            Self::SearchPredefinedAttributes => (MethodFilter::POST, "/search-predefined-attributes"),
            Self::DescribePredefinedAttribute => (MethodFilter::GET, "/predefined-attributes/{InstanceId}/{Name}"),
            Self::DescribeUser => (MethodFilter::GET, "/users/{InstanceId}/{UserId}"),
            Self::UpdateUserConfig => (MethodFilter::POST, "/users/{InstanceId}/{UserId}/config"),
            // AWS JSON 1.1: the header X-Amz-Target names the operation.
            Self::ListServiceQuotas => (MethodFilter::POST, "/"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| format!("'{name}' is no operation of this emulator"))
    }
}
