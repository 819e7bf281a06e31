//! For tests: users with settings, in Connect's own form.

use connect_emulator::switches::ConfigLists;
use connect_emulator::{Fault, Faults, Instance, Operation, Rule, Switches};
use serde_json::{Value, json};

use super::rows::UserConfigRows;
use super::target::UserConfigTarget;
use crate::connect::Setting;
use crate::kind::test_desk::{APPLY, Desk, DeskResult, instance, user_id};
use crate::kind::{FileKind, Prior, ReconcileOptions, Writes};

pub(super) const WAYS: [ConfigLists; 3] = [ConfigLists::ByChannel, ConfigLists::ByMember, ConfigLists::Whole];

impl Desk {
    /// One user with these lists, in Connect's own form.
    pub(super) fn of(lists: Value, config_lists: ConfigLists) -> Self {
        Self::failing(lists, config_lists, Faults::none())
    }

    pub(super) fn failing(lists: Value, config_lists: ConfigLists, faults: Faults) -> Self {
        let switches = Switches { config_lists, ..Switches::default() };
        Self::new(with_lists(instance(1), 0, lists), switches, faults)
    }

    pub(super) async fn set(&self, rows: &[&str]) -> DeskResult {
        self.set_user(0, rows).await
    }

    pub(super) async fn set_user(&self, n: usize, rows: &[&str]) -> DeskResult {
        self.import::<UserConfigRows>(FileKind::UserConfig, n, rows, APPLY, None, |_, _| {}).await
    }

    pub(super) async fn resume(&self, rows: &[&str], writes: Writes, prior: &Prior<UserConfigTarget>) -> DeskResult {
        let options = ReconcileOptions { writes, ..APPLY };
        self.import::<UserConfigRows>(FileKind::UserConfig, 0, rows, options, Some(prior), |_, _| {}).await
    }

    /// Reads and writes.
    pub(super) fn calls(&self) -> (usize, usize) {
        (self.n_calls(Operation::DescribeUser), self.n_calls(Operation::UpdateUserConfig))
    }

    pub(super) fn lists_of(&self, n: usize) -> Value {
        self.emulator.instance(|instance| serde_json::to_value(instance.config(&user_id(n))).unwrap())
    }

    pub(super) fn lists(&self) -> Value {
        self.lists_of(0)
    }
}

/// Rows of an undo file in few words: `CHAT auto_accept=no if yes`.
pub(super) fn shown(undo: &[String]) -> Vec<String> {
    let n_settings = Setting::ALL.len();
    let one = |row: &String| {
        let cells: Vec<&str> = row.split(',').collect();
        let given: Vec<usize> = (0..n_settings).filter(|nth| !cells[1 + nth].is_empty()).collect();
        let [nth] = given[..] else { panic!("one setting a row: {row}") };
        format!("{} {}={} if {}", cells[0], Setting::ALL[nth], cells[1 + nth], cells[1 + n_settings + nth])
    };
    undo.iter().map(one).collect()
}

pub(super) fn with_lists(mut instance: Instance, n: usize, lists: Value) -> Instance {
    instance.set_config(&user_id(n), serde_json::from_value(lists).unwrap());
    instance
}

pub(super) fn acw(channel: &str, seconds: u32) -> Value {
    json!({"Channel": channel, "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": seconds}})
}

/// A user with something in every list, on several channels.
pub(super) fn full() -> Value {
    json!({
        "AutoAcceptConfigs": [
            {"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": true},
            {"Channel": "CHAT", "AutoAccept": false},
            {"Channel": "EMAIL", "AutoAccept": true},
        ],
        "AfterContactWorkConfigs": [acw("VOICE", 30), acw("TASK", 0)],
        "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
        "PersistentConnectionConfigs": [{"Channel": "VOICE", "PersistentConnection": true}],
        "VoiceEnhancementConfigs": [{"Channel": "VOICE", "VoiceEnhancementMode": "NONE"}],
    })
}

pub(super) fn refusing(status: u16, code: &str) -> Rule {
    let (code, message) = (code.to_owned(), "Not this.".to_owned());
    Rule::new(Fault::Custom { status, code, message, work_done: false }).on(Operation::UpdateUserConfig)
}

pub(super) fn conflict() -> Rule {
    refusing(409, "ConditionalOperationFailedException")
}
