//! The operations of Amazon Connect that this function calls, one lane each.

use std::fmt;

/// An operation of Amazon Connect. Each has a quota of its own, shared by all callers of the account and Region
/// ("Best practices for using Connect APIs").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Operation {
    /// The users of the instance: usernames and their ids, 1,000 a page.
    ListUsers,
    /// The instance's predefined attributes with their values, 100 a page.
    SearchPredefinedAttributes,
    /// One predefined attribute by its name, for the search lags.
    DescribePredefinedAttribute,
    /// The proficiencies of one user.
    ListUserProficiencies,
    /// Gives a user proficiencies that it does not have.
    AssociateUserProficiencies,
    /// Changes the level of proficiencies that a user has.
    UpdateUserProficiencies,
    /// Takes proficiencies away.
    DisassociateUserProficiencies,
    /// The settings per channel of one user.
    DescribeUser,
    /// Changes a user's settings per channel.
    UpdateUserConfig,
}

impl Operation {
    /// Every operation, in the order in which an import first calls them.
    pub const ALL: [Self; 9] = [
        Self::ListUsers,
        Self::SearchPredefinedAttributes,
        Self::DescribePredefinedAttribute,
        Self::ListUserProficiencies,
        Self::AssociateUserProficiencies,
        Self::UpdateUserProficiencies,
        Self::DisassociateUserProficiencies,
        Self::DescribeUser,
        Self::UpdateUserConfig,
    ];

    /// The name in Connect, in IAM and in the setting `REQUEST_RATES`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListUsers => "ListUsers",
            Self::SearchPredefinedAttributes => "SearchPredefinedAttributes",
            Self::DescribePredefinedAttribute => "DescribePredefinedAttribute",
            Self::ListUserProficiencies => "ListUserProficiencies",
            Self::AssociateUserProficiencies => "AssociateUserProficiencies",
            Self::UpdateUserProficiencies => "UpdateUserProficiencies",
            Self::DisassociateUserProficiencies => "DisassociateUserProficiencies",
            Self::DescribeUser => "DescribeUser",
            Self::UpdateUserConfig => "UpdateUserConfig",
        }
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether it changes a user.
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::AssociateUserProficiencies
                | Self::UpdateUserProficiencies
                | Self::DisassociateUserProficiencies
                | Self::UpdateUserConfig
        )
    }

    /// Whether it is about the instance and not about one user. Then any refusal stops the import.
    pub const fn is_instance_wide(self) -> bool {
        matches!(self, Self::ListUsers | Self::SearchPredefinedAttributes)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
