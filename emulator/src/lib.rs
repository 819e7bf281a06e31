//! Amazon Connect's operations on user proficiencies and settings, on one's own machine.
//!
//! One instance, held in memory, behind Connect's own wire protocol (REST-JSON 1.1, service model
//! `connect` 2017-08-08), for programs to be tried and tested against. It is written from the service
//! model alone and shares no code with any client.
//!
//! What happens to a call, from the outside in:
//!
//! - [`Emulator`] takes it, in process or from a socket;
//! - `http` finds the operation in the URI;
//! - [`Quotas`] throttle it, each operation by its own bucket;
//! - [`Faults`] may befall it, before the work or after;
//! - `wire` checks lengths, ranges, enums and required members;
//! - [`Instance`] does the work, by the rules that [`Switches`] choose where the documents leave them open;
//! - [`Stats`] and [`Call`] say afterwards what was asked.
//!
//! The state knows nothing of HTTP, nothing but the faults happens by chance, and all time is tokio's:
//! a test that pauses the clock sees the same calls at the same instants each time it runs.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use bytes::Bytes;
//! use connect_emulator::{Emulator, Instance};
//!
//! let emulator = Emulator::new(Instance::sample(3));
//! let id = emulator.instance(|instance| instance.id().to_owned());
//! let request = http::Request::get(format!("/users-summary/{id}"))
//!     .body(Bytes::new())
//!     .expect("a request");
//! let response = emulator.answer(request).await.expect("an answer");
//! assert_eq!(response.status(), 200);
//! # }
//! ```

mod emulator;
mod error;
mod faults;
mod http;
mod matrix;
mod operation;
mod serve;
mod service;
mod state;
mod stats;
pub mod switches;
mod throttle;
mod wire;

pub use crate::{
    emulator::{Builder, ConnectionCut, Emulator},
    error::ApiError,
    faults::{Fault, Faults, Rule, When},
    operation::Operation,
    state::{
        AfterContactWorkConfig, AfterContactWorkConfigPerChannel, AutoAcceptConfig, Channel, DEFAULT_MAX_PROFICIENCIES,
        Instance, InstanceFile, PersistentConnectionConfig, PhoneNumberConfig, PhoneType, PredefinedAttribute,
        Proficiency, ProficiencySet, UserConfig, VoiceEnhancementConfig, VoiceEnhancementMode,
    },
    stats::{Call, OperationStats, Outcome, Stats},
    switches::Switches,
    throttle::{Quota, Quotas},
};
