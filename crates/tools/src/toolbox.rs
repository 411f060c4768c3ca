//! Offers tools and runs them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::{
    ItemBody, ItemStatus, RepositoryFacts, SandboxPolicy, ToolCall, ToolItem, ToolSpec,
};
use sandboxing::Spawner;
use tempfile::TempDir;

use crate::arguments::{Arguments, BadArguments};
use crate::environment::Environment;
use crate::running::{RunningTool, ToolOutcome};
use crate::tools::TOOLS;

/// Who calls the tools, which decides which are offered and how much they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// The bundled small model: arguments enumerated from the repository, answers of a few
    /// sentences.
    Typed,
    /// A model that writes scripts and patches.
    Full,
}

/// What a call runs in.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// The workspace; its root is the directory that commands start in.
    pub facts: Arc<RepositoryFacts>,
    pub sandbox: SandboxPolicy,
    pub style: Style,
    /// Names of variables that commands do not get, whatever they are called: they hold keys.
    pub secrets: Arc<BTreeSet<String>>,
    /// How long the project's tests may take, a first build included.
    pub test_time: Duration,
}

/// Every tool. Shared by all threads of the engine.
#[derive(Debug)]
pub struct Toolbox {
    spawner: Arc<Spawner>,
    environment: Environment,
    scratch: Arc<Scratch>,
}

impl Toolbox {
    /// Commands get the environment of this process, less what is called as secrets are, and less
    /// [`ToolContext::secrets`].
    pub fn new(spawner: Arc<Spawner>) -> Self {
        Self {
            spawner,
            environment: Environment::of_this_process(),
            scratch: Arc::new(Scratch::default()),
        }
    }

    /// The tools for one turn, most useful first.
    pub fn catalogue(style: Style, facts: &RepositoryFacts) -> Vec<ToolSpec> {
        TOOLS.iter().filter_map(|tool| (tool.spec)(style, facts)).collect()
    }

    /// Starts a call. It makes progress while [`RunningTool::next`] is awaited.
    pub fn start(&self, call: &ToolCall, context: &ToolContext) -> RunningTool {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == call.name) else {
            let known: Vec<String> = Self::catalogue(context.style, &context.facts)
                .into_iter()
                .map(|spec| spec.name)
                .collect();
            let message =
                format!("There is no tool {}. The tools: {}.", call.name, known.join(", "));
            return refused(call, message);
        };
        let start = || {
            let arguments = Arguments::parse(&call.arguments)?;
            let job = Job {
                call: call.clone(),
                context: context.clone(),
                spawner: Arc::clone(&self.spawner),
                environment: self.environment.without(&context.secrets),
                scratch: Arc::clone(&self.scratch),
            };
            (tool.start)(job, &arguments)
        };
        start().unwrap_or_else(|BadArguments(message)| refused(call, message))
    }
}

/// All that one call needs, owned, so that it can outlive the toolbox's borrow.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) call: ToolCall,
    pub(crate) context: ToolContext,
    pub(crate) spawner: Arc<Spawner>,
    pub(crate) environment: Environment,
    pub(crate) scratch: Arc<Scratch>,
}

/// A directory for the caches of commands, made when the first one runs and removed with the
/// toolbox. Its name cannot be foreseen and it is ours alone.
#[derive(Debug, Default)]
pub(crate) struct Scratch(OnceLock<Option<TempDir>>);

impl Scratch {
    /// `None` where no temporary directory can be made; then commands do without.
    pub(crate) fn path(&self) -> Option<&Path> {
        let made = self.0.get_or_init(|| tempfile::Builder::new().prefix("duet-").tempdir().ok());
        made.as_ref().map(TempDir::path)
    }
}

/// A call that ended before it began.
fn refused(call: &ToolCall, message: String) -> RunningTool {
    let item = |status, result: &str| {
        ItemBody::Tool(ToolItem {
            call: call.call.clone(),
            tool: call.name.clone(),
            arguments: call.arguments.clone(),
            status,
            result: result.to_owned(),
            duration: None,
        })
    };
    let outcome = ToolOutcome { item: item(ItemStatus::Failed, &message), output: message };
    RunningTool::new(item(ItemStatus::InProgress, ""), move |_ports| async move { outcome })
}
