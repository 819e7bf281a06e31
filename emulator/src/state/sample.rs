//! An instance to try things on.

use super::{
    instance::Instance,
    user_config::{
        AfterContactWorkConfig, AfterContactWorkConfigPerChannel, AutoAcceptConfig, Channel, PhoneNumberConfig,
        PhoneType, UserConfig,
    },
};

const LANGUAGES: [&str; 5] = ["English", "French", "German", "Italian", "Spanish"];
const PRODUCTS: [&str; 4] = ["Billing", "Broadband", "Mobile", "Television"];
const TIERS: [&str; 3] = ["Bronze", "Silver", "Gold"];
/// After contact work.
const SECONDS: [u32; 3] = [0, 30, 120];
const LEVELS: [f32; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

impl Instance {
    /// An instance with the attributes `Language`, `Product` and `Tier`, and with users named
    /// `agent-00001` and on, each of whom has one to three proficiencies, and settings for calls and chats. It is the
    /// same every time.
    pub fn sample(n_users: usize) -> Self {
        let mut instance = Self::new("a1b2c3d4-0000-4000-8000-00000000c0de")
            .with_attribute("Language", LANGUAGES)
            .with_attribute("Product", PRODUCTS)
            .with_attribute("Tier", TIERS);
        for n in 1..=n_users {
            let proficiencies = [
                ("Language", nth(&LANGUAGES, n), nth(&LEVELS, n)),
                ("Product", nth(&PRODUCTS, n), nth(&LEVELS, n / 2)),
                ("Tier", nth(&TIERS, n), nth(&LEVELS, n / 3)),
            ];
            instance.add_user(
                Self::sample_user_id(n),
                format!("agent-{n:05}"),
                proficiencies.into_iter().take(1 + n % 3),
            );
            instance.set_config(&Self::sample_user_id(n), config(n));
        }
        instance
    }

    /// The id of the n-th user of [`Instance::sample`], counted from 1.
    pub fn sample_user_id(n: usize) -> String {
        format!("00000000-0000-4000-8000-{n:012}")
    }
}

/// The settings of the n-th user: every fourth has a desk phone.
fn config(n: usize) -> UserConfig {
    let auto_accept =
        |(channel, auto_accept)| AutoAcceptConfig { channel, auto_accept, agent_first_callback_auto_accept: None };
    let after_contact_work = AfterContactWorkConfigPerChannel {
        channel: Channel::Voice,
        after_contact_work_config: AfterContactWorkConfig { after_contact_work_time_limit: nth(&SECONDS, n) },
        agent_first_callback_after_contact_work_config: None,
    };
    let has_desk_phone = n.is_multiple_of(4);
    let phone = PhoneNumberConfig {
        channel: Channel::Voice,
        phone_type: if has_desk_phone { PhoneType::DeskPhone } else { PhoneType::SoftPhone },
        phone_number: has_desk_phone.then(|| format!("+4930901820{:03}", n % 1000)),
    };
    UserConfig {
        auto_accept_configs: [(Channel::Voice, false), (Channel::Chat, n.is_multiple_of(2))].map(auto_accept).into(),
        after_contact_work_configs: vec![after_contact_work],
        phone_number_configs: vec![phone],
        ..UserConfig::default()
    }
}

/// The n-th entry, going round.
fn nth<T: Copy>(entries: &[T], n: usize) -> T {
    entries[n % entries.len()]
}
