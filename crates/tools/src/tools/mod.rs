//! The tools, one file each.

mod apply_patch;
mod edit;
mod git;
mod list_files;
mod read_file;
mod run_tests;
mod search;
mod shell;

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{ItemBody, ItemStatus, RepositoryFacts, Schema, ToolCall, ToolItem, ToolSpec};
use workspace::Patience;

use crate::arguments::{Arguments, BadArguments};
use crate::looking::{NotSeen, look};
use crate::running::{RunningTool, ToolOutcome};
use crate::toolbox::{Job, Style};

/// One tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// `None` where it is not offered.
    pub(crate) spec: fn(Style, &RepositoryFacts) -> Option<ToolSpec>,
    pub(crate) start: fn(Job, &Arguments) -> Result<RunningTool, BadArguments>,
}

/// In the order in which they are offered.
pub(crate) const TOOLS: &[Tool] = &[
    shell::TOOL,
    apply_patch::TOOL,
    run_tests::TOOL,
    list_files::TOOL,
    read_file::TOOL,
    search::TOOL,
    git::LOG,
    git::DIFF,
    git::STATUS,
    git::LAST,
    edit::WRITE,
    edit::REPLACE,
];

/// Files that are enumerated for a grammar; with more of them the name is free text.
const ENUMERATED: usize = 300;

/// The files of the repository that look like text and that `wanted` keeps. `None` without any.
fn file_choice(facts: &RepositoryFacts, wanted: impl Fn(&str) -> bool) -> Option<Schema> {
    const DATA: [&str; 26] = [
        "png", "jpg", "jpeg", "gif", "ico", "webp", "bmp", "pdf", "zip", "gz", "xz", "tar", "wav",
        "mp3", "ogg", "mp4", "woff", "woff2", "ttf", "otf", "so", "a", "o", "bin", "pyc", "lock",
    ];
    let is_text = |file: &&String| {
        let extension = file.rsplit_once('.').map(|it| it.1.to_ascii_lowercase());
        !extension.is_some_and(|it| DATA.contains(&it.as_str()))
    };
    let files: Vec<String> =
        facts.files.iter().filter(is_text).filter(|file| wanted(file)).cloned().collect();
    match files.len() {
        0 => None,
        1..=ENUMERATED => Some(Schema::Choice(files)),
        _ => Some(Schema::Text { max_chars: Some(160) }),
    }
}

/// All of a call that only looks: what is not found by then is said to be missing.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// A tool that only looks, in blocking code of our own. `Err` is a sentence too.
fn reading(
    job: Job,
    work: impl FnOnce(Arc<RepositoryFacts>, &Patience) -> Result<String, String> + Send + 'static,
) -> RunningTool {
    let started = tool_item(&job.call, ItemStatus::InProgress, "", None);
    RunningTool::new(started, move |mut ports| async move {
        let begun = Instant::now();
        let facts = Arc::clone(&job.context.facts);
        let looked = look(&mut ports, LOOK_LIMIT, move |patience| work(facts, patience)).await;
        let (status, output) = match looked {
            Ok(Ok(output)) => (ItemStatus::Completed, output),
            Ok(Err(message)) => (ItemStatus::Failed, message),
            Err(NotSeen(why)) => (ItemStatus::Failed, why.to_owned()),
        };
        let item = tool_item(&job.call, status, &output, Some(begun.elapsed()));
        ToolOutcome { item, output }
    })
}

fn tool_item(
    call: &ToolCall,
    status: ItemStatus,
    result: &str,
    duration: Option<Duration>,
) -> ItemBody {
    ItemBody::Tool(ToolItem {
        call: call.call.clone(),
        tool: call.name.clone(),
        arguments: call.arguments.clone(),
        status,
        result: result.to_owned(),
        duration,
    })
}
