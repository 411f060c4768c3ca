//! The Responses API: model requests to JSON, events of its stream to model events.
//!
//! Tolerant of what is new (unknown events, items, fields), strict about what it uses (a
//! missing field is a typed error), bounded in everything it keeps.

mod fault;
mod reply;
mod request;
mod schema;

pub use crate::fault::{Fault, FaultKind};
pub use crate::reply::{DecodeError, Reply, ReplyError};
pub use crate::request::encode_request;
pub use crate::schema::json_schema;
