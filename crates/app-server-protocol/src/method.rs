//! Every method we serve, in one table: its name, its parameters, its result.
//!
//! A method that is not here is refused by its name. There is none that only pretends.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::account::{AccountReadParams, AccountReadResult};
use crate::config::{
    ConfigReadParams, ConfigReadResult, ConfigRequirementsReadResult, SkillsListParams,
    SkillsListResult,
};
use crate::initialize::{InitializeParams, InitializeResult};
use crate::model::{ModelListParams, ModelListResult};
use crate::realtime::{
    RealtimeAppendAudioParams, RealtimeAppendTextParams, RealtimeListVoicesParams,
    RealtimeListVoicesResult, RealtimeStartParams, RealtimeStopParams,
};
use crate::rpc::{Empty, ErrorObject, code};
use crate::thread::{
    ThreadLoadedListParams, ThreadLoadedListResult, ThreadReadParams, ThreadReadResult,
    ThreadResumeParams, ThreadStartParams, ThreadStartResult, ThreadUnsubscribeParams,
    ThreadUnsubscribeResult,
};
use crate::turn::{
    TurnInterruptParams, TurnStartParams, TurnStartResult, TurnSteerParams, TurnSteerResult,
};

/// A method as its callers see it: `client.call::<methods::TurnStart>(&params)`.
pub trait Method {
    const NAME: &'static str;
    type Params: Serialize + DeserializeOwned;
    type Result: Serialize + DeserializeOwned;
}

/// Why a request never reached its method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("method not found: {method}")]
    UnknownMethod { method: String },
    #[error("invalid params of {method}: {reason}")]
    BadParams { method: &'static str, reason: String },
}

impl From<Refusal> for ErrorObject {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::UnknownMethod { .. } => code::METHOD_NOT_FOUND,
            Refusal::BadParams { .. } => code::INVALID_PARAMS,
        };
        Self::new(code, refusal.to_string())
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $wire:literal ($params:ty) -> $result:ty;)*) => {
        /// A request of a client, read.
        #[derive(Debug, Clone, PartialEq)]
        pub enum ClientRequest {
            $($(#[$doc])* $name($params),)*
        }

        impl ClientRequest {
            /// Reads the parameters of `method`. Absent ones count as `{}`.
            pub fn read(method: &str, params: Option<&RawValue>) -> Result<Self, Refusal> {
                match method {
                    $($wire => decode($wire, params).map(Self::$name),)*
                    _ => Err(Refusal::UnknownMethod { method: method.to_owned() }),
                }
            }

            pub const fn method(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $wire,)*
                }
            }
        }

        /// The methods, as types.
        pub mod methods {
            use super::*;

            $(
                $(#[$doc])*
                #[derive(Debug)]
                pub enum $name {}

                impl Method for $name {
                    const NAME: &'static str = $wire;
                    type Params = $params;
                    type Result = $result;
                }
            )*
        }
    };
}

methods! {
    /// First, once per connection.
    Initialize "initialize" (InitializeParams) -> InitializeResult;

    ThreadStart "thread/start" (ThreadStartParams) -> ThreadStartResult;
    ThreadResume "thread/resume" (ThreadResumeParams) -> ThreadStartResult;
    ThreadRead "thread/read" (ThreadReadParams) -> ThreadReadResult;
    ThreadLoadedList "thread/loaded/list" (ThreadLoadedListParams) -> ThreadLoadedListResult;
    ThreadUnsubscribe "thread/unsubscribe" (ThreadUnsubscribeParams) -> ThreadUnsubscribeResult;

    TurnStart "turn/start" (TurnStartParams) -> TurnStartResult;
    TurnSteer "turn/steer" (TurnSteerParams) -> TurnSteerResult;
    TurnInterrupt "turn/interrupt" (TurnInterruptParams) -> Empty;

    RealtimeStart "thread/realtime/start" (RealtimeStartParams) -> Empty;
    RealtimeAppendAudio "thread/realtime/appendAudio" (RealtimeAppendAudioParams) -> Empty;
    RealtimeAppendText "thread/realtime/appendText" (RealtimeAppendTextParams) -> Empty;
    RealtimeStop "thread/realtime/stop" (RealtimeStopParams) -> Empty;
    RealtimeListVoices "thread/realtime/listVoices" (RealtimeListVoicesParams)
        -> RealtimeListVoicesResult;

    ModelList "model/list" (ModelListParams) -> ModelListResult;
    AccountRead "account/read" (AccountReadParams) -> AccountReadResult;
    ConfigRead "config/read" (ConfigReadParams) -> ConfigReadResult;
    ConfigRequirementsRead "configRequirements/read" (Empty) -> ConfigRequirementsReadResult;
    SkillsList "skills/list" (SkillsListParams) -> SkillsListResult;
}

impl ClientRequest {
    /// Methods that a client must ask for: `initialize.capabilities.experimentalApi`.
    pub const fn is_experimental(&self) -> bool {
        match self {
            Self::RealtimeStart(_)
            | Self::RealtimeAppendAudio(_)
            | Self::RealtimeAppendText(_)
            | Self::RealtimeStop(_)
            | Self::RealtimeListVoices(_) => true,
            Self::Initialize(_)
            | Self::ThreadStart(_)
            | Self::ThreadResume(_)
            | Self::ThreadRead(_)
            | Self::ThreadLoadedList(_)
            | Self::ThreadUnsubscribe(_)
            | Self::TurnStart(_)
            | Self::TurnSteer(_)
            | Self::TurnInterrupt(_)
            | Self::ModelList(_)
            | Self::AccountRead(_)
            | Self::ConfigRead(_)
            | Self::ConfigRequirementsRead(_)
            | Self::SkillsList(_) => false,
        }
    }
}

fn decode<P: DeserializeOwned>(
    method: &'static str,
    params: Option<&RawValue>,
) -> Result<P, Refusal> {
    serde_json::from_str(params.map_or("{}", RawValue::get))
        .map_err(|error| Refusal::BadParams { method, reason: error.to_string() })
}
