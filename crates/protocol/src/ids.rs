//! Names of things that outlive the process.

use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )*};
}

ids! {
    /// A durable conversation with the agent: a UUIDv7 in its usual text form.
    ThreadId
    /// One turn of a thread: a UUIDv7.
    TurnId
    /// One entry of a turn, or one item of a realtime conversation (then the service's id).
    ItemId
    /// A tool call of the agent's model, named by the provider.
    CallId
    /// The realtime model's request for work: the id its answer must carry.
    HandoffId
    /// One reply of the realtime model.
    ResponseId
}
