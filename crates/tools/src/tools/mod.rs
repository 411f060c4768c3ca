//! The tools, one file each.

mod shell;

use protocol::{RepositoryFacts, ToolSpec};

use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::toolbox::{Job, Style};

/// One tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// `None` where it is not offered.
    pub(crate) spec: fn(Style, &RepositoryFacts) -> Option<ToolSpec>,
    pub(crate) start: fn(Job, &Arguments) -> Result<RunningTool, BadArguments>,
}

/// In the order in which they are offered.
pub(crate) const TOOLS: &[Tool] = &[shell::TOOL];
