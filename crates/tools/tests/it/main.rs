//! The tools as the engine uses them, on real repositories, in the real sandbox.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod editing;
mod reading;
mod running;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ItemBody, SandboxMode, SandboxPolicy, ToolCall};
use sandboxing::{Spawner, SpawnerProgram};
use tempfile::TempDir;
use tools::{RunningTool, Style, ToolContext, ToolEvent, ToolOutcome, Toolbox};
use workspace::repository_facts;

const AS_SPAWNER: &str = "acts-as-the-spawner";

/// Not a test: what the spawner's processes run when this binary is started for them.
#[test]
fn spawner_process() {
    if std::env::args().any(|arg| arg == AS_SPAWNER) {
        sandboxing::spawner_main();
        std::process::exit(0);
    }
}

fn toolbox() -> Toolbox {
    let args = ["--exact", "spawner_process", "--nocapture", "--skip", AS_SPAWNER];
    let program = SpawnerProgram {
        exe: std::env::current_exe().unwrap(),
        args: args.iter().map(Into::into).collect(),
    };
    Toolbox::new(Arc::new(Spawner::start(program).unwrap()))
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        put(directory.path(), path, text);
    }
    directory
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn git(root: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .current_dir(root)
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The same, committed.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let directory = directory(files);
    git(directory.path(), &["init", "-q"]);
    git(directory.path(), &["add", "-A"]);
    git(directory.path(), &["commit", "-q", "-m", "First"]);
    directory
}

fn context(root: &Path, style: Style) -> ToolContext {
    let sandbox = SandboxPolicy { mode: SandboxMode::WorkspaceWrite, ..SandboxPolicy::default() };
    let facts = Arc::new(repository_facts(root).unwrap());
    // Set for every test; stands for one that the config names.
    let secrets = Arc::new(["CARGO_PKG_NAME".to_owned()].into());
    ToolContext { facts, sandbox, style, secrets, test_time: Duration::from_secs(600) }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { call: "call".into(), name: name.into(), arguments: arguments.into() }
}

async fn finish(mut running: RunningTool) -> (String, ToolOutcome) {
    let mut deltas = String::new();
    loop {
        match running.next().await.unwrap() {
            ToolEvent::Output(delta) => deltas.push_str(&delta),
            ToolEvent::Finished(outcome) => {
                assert_eq!(running.next().await, None);
                return (deltas, *outcome);
            }
        }
    }
}

/// What the model is told by one call.
async fn told(context: &ToolContext, name: &str, arguments: &str) -> String {
    let (_, outcome) = finish(toolbox().start(&call(name, arguments), context)).await;
    outcome.output
}

/// The wall time in the first line of some outputs.
fn without_seconds(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.split_once(" (").map_or(first, |it| it.0);
    format!("{first}\n{rest}")
}

#[tokio::test]
async fn catalogues_fit_the_model_and_the_repository() {
    let names = |style, root: &Path| {
        let catalogue = Toolbox::catalogue(style, &repository_facts(root).unwrap());
        catalogue.into_iter().map(|spec| spec.name).collect::<Vec<_>>().join(" ")
    };
    let rust = repository(&[("Cargo.toml", "[package]\n"), ("src/lib.rs", "")]);
    assert_eq!(
        names(Style::Typed, rust.path()),
        "run_tests read_file search git_log git_diff git_status last_commit write_file"
    );
    assert_eq!(
        names(Style::Full, rust.path()),
        "shell apply_patch run_tests list_files read_file search"
    );
    // A small model that is asked for tests and cannot look would make some up.
    assert_eq!(names(Style::Typed, directory(&[]).path()), "run_tests list_files search");
    let full = names(Style::Full, directory(&[]).path());
    assert_eq!(full, "shell apply_patch list_files read_file search");
}

#[tokio::test]
async fn calls_that_make_no_sense_end_with_a_sentence() {
    let directory = directory(&[("a", "")]);
    let context = context(directory.path(), Style::Full);
    for (name, arguments, expect) in [
        (
            "nonsense",
            "{}",
            "There is no tool nonsense. The tools: shell, apply_patch, list_files, read_file, search.",
        ),
        ("shell", "{}", "The argument `command` is missing."),
        ("shell", "{\"command\":5}", "The argument `command` must be a string."),
        ("shell", "[1]", "The arguments must be a JSON object."),
        ("read_file", "{\"path\":\"../x\"}", "../x is outside the workspace."),
        ("read_file", "{\"path\":\"b\"}", "b does not exist."),
        ("git_log", "{}", "This directory is not in a git repository."),
    ] {
        assert_eq!(told(&context, name, arguments).await, expect);
    }
    let cut = told(&context, "shell", "{\"command\":\"ec").await;
    assert!(cut.starts_with("The arguments are not valid JSON: "), "{cut}");
    let none = told(&context, "run_tests", "").await;
    assert!(none.starts_with("No tests were found: "), "{none}");
}

/// Whatever a model writes, each call ends, and says something.
#[tokio::test]
async fn odd_arguments_harm_nobody() {
    let repository =
        repository(&[("a.py", "x = 1\n"), ("test_a.py", "import unittest\n"), ("b/c", "")]);
    let odd = [
        "null",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"/\"",
        "\"..\"",
        "\"b\"",
        "\"a.py\"",
        "\"(\"",
        "\"-x\"",
        "\"\u{1f600}\"",
        "-1",
        "0",
        "1e99",
        "18446744073709551616",
        "2.5",
        "[]",
        "{}",
        "true",
    ];
    let toolbox = toolbox();
    for style in [Style::Typed, Style::Full] {
        let context = context(repository.path(), style);
        for spec in Toolbox::catalogue(style, &context.facts) {
            for value in odd {
                // Scripts do as they please; only what is no script is tried on the shell.
                if spec.name == "shell" && value.starts_with('"') && !value.contains("u0000") {
                    continue;
                }
                let pairs: Vec<String> = spec
                    .parameters
                    .iter()
                    .map(|parameter| format!("\"{}\":{value}", parameter.name))
                    .collect();
                if pairs.is_empty() {
                    continue;
                }
                let arguments = format!("{{{}}}", pairs.join(","));
                let running = toolbox.start(&call(&spec.name, &arguments), &context);
                let (_, outcome) = finish(running).await;
                assert!(!outcome.output.is_empty(), "{} {arguments}", spec.name);
            }
        }
    }
}
