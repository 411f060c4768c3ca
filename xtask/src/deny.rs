//! Licences, bans and sources of every crate in the lockfile, by the rules in `deny.toml`.
//!
//! The file has cargo-deny's form, so `cargo deny check licenses bans sources` reads it too.
//! This does the same three checks over `cargo metadata`, without the minutes that building
//! cargo-deny takes on a fresh machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::graph::{Graph, Package};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Named>,
    /// Doubled crates that are known, with the reason beside them.
    #[serde(default)]
    skip: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
}

pub(crate) fn check() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    let path = graph.workspace_root.join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rules: Rules = toml::from_str(&text).context("deny.toml")?;
    let mut problems: Vec<String> = Vec::new();
    for package in &graph.packages {
        problems.extend(licence(package, &rules.licenses));
        problems.extend(source(package));
        if rules.bans.deny.iter().any(|it| it.name == package.name) {
            problems.push(format!("  {} is banned", package.name));
        }
    }
    problems.extend(doubled(&graph.packages, &rules.bans.skip));
    ensure!(problems.is_empty(), "deny:\n{}", problems.join("\n"));
    println!("deny: {} crates, licences, bans and sources are in order", graph.packages.len());
    Ok(())
}

fn licence(package: &Package, rules: &Licenses) -> Option<String> {
    let Package { name, version, .. } = package;
    let Some(text) = &package.license else {
        let file = package.license_file.as_ref().map(|it| it.display().to_string());
        return Some(format!("  {name} {version} states no licence (file: {file:?})"));
    };
    let expression = match Expression::parse_mode(text, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("  {name} {version}: `{text}`: {}", error.reason)),
    };
    let own = rules.exceptions.iter().find(|it| it.name == *name);
    let allowed = expression.evaluate(|wanted| {
        let id = wanted.to_string();
        rules.allow.contains(&id) || own.is_some_and(|it| it.allow.contains(&id))
    });
    (!allowed).then(|| format!("  {name} {version} is under `{text}`, which is not allowed"))
}

fn source(package: &Package) -> Option<String> {
    let from = package.source.as_deref()?;
    (from != CRATES_IO).then(|| format!("  {} {} comes from {from}", package.name, package.version))
}

fn doubled(packages: &[Package], skip: &[Named]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let known = |name: &str| skip.iter().any(|it| it.name == name);
    let mut problems: Vec<String> = versions
        .iter()
        .filter(|(name, versions)| versions.len() > 1 && !known(name))
        .map(|(name, versions)| format!("  {name} is there as {}", versions.join(" and ")))
        .collect();
    problems.extend(
        skip.iter()
            .filter(|it| versions.get(it.name.as_str()).is_none_or(|found| found.len() < 2))
            .map(|it| format!("  {} is skipped in deny.toml but not doubled any more", it.name)),
    );
    problems
}
