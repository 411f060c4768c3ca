//! Stand-ins for the outside world. Used only from `tests/it`.

#![allow(clippy::unwrap_used, reason = "a stand-in that breaks should break the test")]

mod model_server;
mod realtime_server;
mod sound_server;

pub use crate::model_server::{
    ModelCall, ModelReply, ModelScript, ModelServer, OpenReply, SeenRequest, sse,
};
pub use crate::realtime_server::{Goodbye, Handshake, RealtimePeer, RealtimeServer};
pub use crate::sound_server::{SOUND_CHANNEL, SoundPeer, SoundServer};
