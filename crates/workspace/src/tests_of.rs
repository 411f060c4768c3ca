//! How a project runs its tests, from its manifests.

use std::collections::BTreeSet;

use protocol::TestCommand;

use crate::beneath::Root;

/// Longest manifest or test file that is looked into.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// Test files whose text is looked at to tell pytest from unittest.
const LOOKED_INTO: usize = 30;

/// Most likely first. Decided from files alone: nothing is run to find out.
pub(crate) fn test_commands(root: &Root, files: &[String]) -> Vec<TestCommand> {
    let project = Project { root, files, deepest: usize::MAX };
    let mut commands = Vec::new();
    commands.extend(project.cargo());
    commands.extend(project.go());
    // Tests deep below another project's manifest are that project's material, not its tests.
    let project = Project { deepest: if commands.is_empty() { usize::MAX } else { 1 }, ..project };
    commands.extend(project.python());
    commands.extend(project.node());
    commands.extend(project.make());
    commands
}

struct Project<'a> {
    root: &'a Root,
    files: &'a [String],
    /// How many directories down test files count.
    deepest: usize,
}

impl Project<'_> {
    fn cargo(&self) -> Option<TestCommand> {
        let manifest = self.nearest("Cargo.toml")?;
        let mut argv = vec!["cargo", "test", "--no-fail-fast"];
        if manifest != "Cargo.toml" {
            argv.extend(["--manifest-path", manifest]);
        }
        let text = self.read(manifest)?;
        // A package that is also a workspace's root tests only itself otherwise.
        if text.lines().any(|line| line.trim() == "[workspace]") {
            argv.push("--workspace");
        }
        Some(command(&argv, manifest))
    }

    fn go(&self) -> Option<TestCommand> {
        self.has("go.mod").then(|| command(&["go", "test", "./..."], "go.mod"))
    }

    /// Both runners where both could do it: the tool that runs them takes the second when the
    /// first is not installed, which no file tells.
    fn python(&self) -> Vec<TestCommand> {
        let tests: Vec<&str> = self.files_near().filter(|path| is_python_test(path)).collect();
        let configured = self.pytest_configuration();
        if tests.is_empty() && configured.is_none() {
            return Vec::new();
        }
        let style = self.python_style(&tests);
        let found_in = configured.or(tests.first().copied()).unwrap_or("tests");
        let python = self.python_program();
        let pytest = command(&[&python, "-m", "pytest", "-q"], found_in);
        let unittest = command(&self.unittest(&python, &tests), found_in);
        match (configured, style) {
            // Functions without a class are nothing to unittest.
            (_, PythonStyle::Functions) => vec![pytest],
            (Some(_), PythonStyle::Classes) => vec![pytest, unittest],
            (None, PythonStyle::Classes) => vec![unittest, pytest],
        }
    }

    fn pytest_configuration(&self) -> Option<&'static str> {
        let sections = [
            ("pytest.ini", "[pytest]"),
            ("pyproject.toml", "[tool.pytest"),
            ("setup.cfg", "[tool:pytest]"),
            ("tox.ini", "[pytest]"),
        ];
        let configured = sections.into_iter().find(|(file, section)| {
            self.has(file) && self.read(file).is_some_and(|text| text.contains(section))
        });
        configured.map(|(file, _)| file).or_else(|| {
            ["conftest.py", "tests/conftest.py"].into_iter().find(|file| self.has(file))
        })
    }

    fn python_style(&self, tests: &[&str]) -> PythonStyle {
        let looked = tests.iter().take(LOOKED_INTO).filter_map(|path| self.read(path));
        let functions = looked.into_iter().any(|text| {
            text.contains("import pytest")
                || text.lines().any(|line| {
                    line.starts_with("def test_") || line.starts_with("async def test_")
                })
        });
        if functions { PythonStyle::Functions } else { PythonStyle::Classes }
    }

    /// A virtual environment of the project has its packages; the system's Python may not.
    fn python_program(&self) -> String {
        let inside = [".venv/bin/python", "venv/bin/python"];
        let found = inside.into_iter().find(|path| self.root.path().join(path).exists());
        found.unwrap_or("python3").to_owned()
    }

    fn unittest<'a>(&self, python: &'a str, tests: &[&str]) -> Vec<&'a str> {
        let mut argv = vec![python, "-m", "unittest", "discover"];
        // Discovery descends only into packages.
        for directory in ["tests", "test"] {
            let inside = |path: &&str| path.split('/').next() == Some(directory);
            let package = self.has(&format!("{directory}/__init__.py"));
            if !package && tests.iter().all(inside) && !tests.is_empty() {
                argv.extend(["-s", directory]);
                return argv;
            }
        }
        argv
    }

    fn node(&self) -> Option<TestCommand> {
        let Some(manifest) = self.nearest("package.json") else { return self.node_test("") };
        let directory = manifest.strip_suffix("package.json").unwrap_or_default();
        let text = self.read(manifest)?;
        let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let script = package.pointer("/scripts/test").and_then(|it| it.as_str());
        // What `npm init` writes.
        let script = script.filter(|script| !script.contains("no test specified"));
        if script.is_none() {
            return self.node_test(directory);
        }
        let locked_by = |file: &str| self.has(&format!("{directory}{file}"));
        let mut argv = if locked_by("pnpm-lock.yaml") {
            vec!["pnpm", "test"]
        } else if locked_by("yarn.lock") {
            vec!["yarn", "test"]
        } else {
            vec!["npm", "test", "--silent"]
        };
        if !directory.is_empty() {
            let option = if argv[0] == "yarn" {
                "--cwd"
            } else if argv[0] == "pnpm" {
                "-C"
            } else {
                "--prefix"
            };
            argv.splice(1..1, [option, directory.trim_end_matches('/')]);
        }
        Some(command(&argv, manifest))
    }

    /// Node's own runner finds such files by itself.
    fn node_test(&self, directory: &str) -> Option<TestCommand> {
        if !directory.is_empty() {
            return None;
        }
        let found = self.files_near().find(|path| is_node_test(path))?;
        Some(command(&["node", "--test"], found))
    }

    fn make(&self) -> Option<TestCommand> {
        let makefile =
            ["GNUmakefile", "makefile", "Makefile"].into_iter().find(|it| self.has(it))?;
        let text = self.read(makefile)?;
        let target = |line: &str| {
            let rest = line.strip_prefix("test").map(str::trim_start);
            rest.is_some_and(|rest| rest.starts_with(':') && !rest.starts_with(":="))
        };
        text.lines().any(target).then(|| command(&["make", "test"], makefile))
    }

    fn files_near(&self) -> impl Iterator<Item = &str> {
        let depth = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
        self.files.iter().map(String::as_str).filter(move |path| depth(path) <= self.deepest)
    }

    fn has(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// The file of that name nearest to the root, at most two directories down.
    fn nearest(&self, name: &str) -> Option<&str> {
        let named = self.files.iter().map(String::as_str).filter(|path| {
            path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        });
        let depth = |path: &&str| path.bytes().filter(|byte| *byte == b'/').count();
        named.filter(|path| depth(path) <= 2).min_by_key(|path| (depth(path), path.len()))
    }

    fn read(&self, path: &str) -> Option<String> {
        let bytes = self.root.read(path, MANIFEST_LIMIT).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PythonStyle {
    /// Only pytest runs them.
    Functions,
    /// `unittest.TestCase`, which both run.
    Classes,
}

fn is_python_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".py").is_some_and(|name| {
        (name.starts_with("test") && name != "testing") || name.ends_with("_test")
    })
}

fn is_node_test(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some((stem, "js" | "mjs" | "cjs")) = name.rsplit_once('.') else { return false };
    let in_test = directory.split('/').collect::<BTreeSet<_>>().contains("test");
    in_test
        || stem == "test"
        || stem.starts_with("test-")
        || [".test", "-test", "_test"].iter().any(|end| stem.ends_with(end))
}

fn command(argv: &[&str], found_in: &str) -> TestCommand {
    TestCommand {
        argv: argv.iter().map(|it| it.to_string()).collect(),
        found_in: found_in.to_owned(),
    }
}
