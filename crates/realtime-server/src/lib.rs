//! The local, OpenAI-Realtime-compatible server: any client of the service's current protocol
//! talks to the models of this machine.
//!
//! Each connection is one session: a [`voice_pipeline::Pipeline`] decides, this crate carries
//! bytes and jobs. What it needs of models is the trait [`Services`]; [`LocalModels`] is the
//! real thing.
//!
//! **Invariants**
//! * Nobody gets in without the key; a web page only from this machine; another machine only
//!   if that was asked for.
//! * A client that does not read stops its own models, never another's session, and is
//!   disconnected with the reason when it stops reading for good.
//! * When a session ends, its jobs end.

mod convert;
mod door;
mod ears;
mod jobs;
mod local;
mod outbox;
mod phrases;
mod server;
mod services;
mod session;
mod sound;

pub use crate::door::{ApiKey, ApiKeyError, Exposure};
pub use crate::local::LocalModels;
pub use crate::server::{BindError, Options, RealtimeServer};
pub use crate::services::{Hearing, Hint, ServiceError, Services, Speaking, Transcript, Writing};
