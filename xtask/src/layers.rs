//! Crates use lower layers only, pure crates stay pure, and nobody re-exports another's API.
//!
//! Reads the resolved graph, so that a helper crate cannot smuggle an edge past it, the sources,
//! because a `pub use` is no edge, and the lists of what pure crates may not call, because the
//! standard library is none either.

mod exports;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use self::exports::{Export, exports};
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
    &["testkit", "hot-paths", "xtask"],
];

/// The last layer that does no IO.
const PURE: usize = 4;

/// Pure crates must not reach these, directly or through anything else.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "reqwest", "cpal", "crossterm", "rand", "getrandom"];

/// Has what clippy forbids in one crate.
const CLIPPY: &str = "clippy.toml";

/// Test support: ordinary crates must not reach it.
const TEST_ONLY: &str = "testkit";

pub(crate) fn check() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    let mut problems = edges(&graph);
    problems.extend(re_exports(&graph)?);
    problems.extend(purity(&graph)?);
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
            let at = path.strip_prefix(&graph.workspace_root).unwrap_or(&path).display();
            let exports = exports(&text, &names);
            problems.extend(
                exports
                    .iter()
                    .map(|Export { line, owner }| format!("  {at}:{line} re-exports {owner}")),
            );
        }
    }
    Ok(problems)
}

/// Clippy reads one file for each crate and knows no common part.
fn purity(graph: &Graph) -> anyhow::Result<Vec<String>> {
    let mut lists = Vec::new();
    for krate in graph.members() {
        if level(&krate.name).is_some_and(|layer| layer <= PURE) {
            let path = krate.manifest_path.with_file_name(CLIPPY);
            let list = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            lists.push((krate.name.as_str(), list));
        }
    }
    let lowest = LAYERS[0][0];
    let (_, wanted) = lists
        .iter()
        .find(|(name, _)| *name == lowest)
        .with_context(|| format!("there is no crate {lowest}"))?;
    let others = lists.iter().filter(|(_, list)| list != wanted);
    Ok(others
        .map(|(name, _)| format!("  {name}/{CLIPPY} is not as {lowest}/{CLIPPY}: copy that"))
        .collect())
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
