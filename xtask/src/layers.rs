//! Crates use lower layers only, pure crates stay pure, and nobody re-exports another's API.
//!
//! Reads the resolved graph, so that a helper crate cannot smuggle an edge past it, and the
//! sources, because a `pub use` is no edge.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::graph::{Graph, reachable};

/// Lowest first, as in ARCHITECTURE.md. A crate may use any crate on an earlier line.
const LAYERS: &[&[&str]] = &[
    &["stdx"],
    &["protocol"],
    &["realtime-wire", "responses-wire", "app-server-protocol", "apply-patch", "audio-dsp"],
    &["realtime-session", "agent-turn", "voice-pipeline"],
    &["thread"],
    &["transport", "audio-io", "sandboxing", "workspace", "rollout", "config", "speech"],
    &["login", "models", "inference", "app-server-client"],
    &["model-client", "realtime-client", "tools"],
    &["engine", "realtime-server"],
    &["app-server"],
    &["headless"],
    &["cli"],
    &["testkit", "xtask"],
];

/// The last layer that does no IO.
const PURE: usize = 4;

/// Pure crates must not reach these, directly or through anything else.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "reqwest", "cpal", "crossterm", "rand", "getrandom"];

/// Test support: ordinary crates must not reach it.
const TEST_ONLY: &str = "testkit";

pub(crate) fn check() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    let mut problems = edges(&graph);
    problems.extend(re_exports(&graph)?);
    ensure!(problems.is_empty(), "layering:\n{}", problems.join("\n"));
    println!("layers: {} crates, no edge up or sideways", graph.workspace_members.len());
    Ok(())
}

fn level(name: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&name))
}

fn edges(graph: &Graph) -> Vec<String> {
    let edges = graph.edges();
    let mut problems = Vec::new();
    for krate in graph.members().map(|it| it.name.as_str()) {
        let Some(layer) = level(krate) else {
            problems.push(format!("  {krate} has no layer yet: name it in xtask/src/layers.rs"));
            continue;
        };
        for &dep in edges.get(krate).into_iter().flatten() {
            if dep == TEST_ONLY {
                problems.push(format!("  {krate} uses {dep}, which is for tests"));
            } else if level(dep).is_some_and(|below| layer <= below) {
                problems.push(format!("  {krate} uses {dep}, which is not below it"));
            }
        }
        if layer <= PURE {
            let reached = reachable(&edges, krate);
            let impure = IMPURE.iter().filter(|it| reached.contains(**it));
            problems.extend(impure.map(|it| format!("  {krate} must stay pure but reaches {it}")));
        }
    }
    problems
}

fn re_exports(graph: &Graph) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = graph.members().map(|it| it.name.replace('-', "_")).collect();
    let mut problems = Vec::new();
    for member in graph.members() {
        let sources = member.manifest_path.with_file_name("src");
        for path in rust_files(&sources)? {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            for (number, line) in text.lines().enumerate() {
                let Some(used) = line.trim_start().strip_prefix("pub use ") else { continue };
                let root = used.trim_start_matches("::").split([':', ';', ' ']).next();
                if let Some(name) = names.iter().find(|name| root == Some(name.as_str())) {
                    let at = path.strip_prefix(&graph.workspace_root).unwrap_or(&path);
                    problems.push(format!("  {}:{} re-exports {name}", at.display(), number + 1));
                }
            }
        }
    }
    Ok(problems)
}

fn rust_files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}
