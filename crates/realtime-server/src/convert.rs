//! Between the wire's types and the pipeline's, by exhaustive matches: a new field or event on
//! either side does not compile until it has a place here.

mod client;
mod refusal;
mod schema;
mod server;
mod settings;

pub(crate) use self::client::client_event;
pub(crate) use self::server::Scribe;
pub(crate) use self::settings::settings;
