//! What somebody wants who speaks while the agent works.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// To know what is going on.
    Status,
    /// To hear the last words again.
    Repeat,
    /// Something of the agent. Also where nobody can tell: nothing that was said is lost then.
    Work,
}

impl Route {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Repeat => "repeat",
            Self::Work => "work",
        }
    }
}
