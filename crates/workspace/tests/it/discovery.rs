//! Files and test commands of real layouts.

use workspace::{MAX_FILES, repository_facts};

use super::*;

#[test]
fn a_git_repository_lists_what_git_does() {
    let repository = repository(&[
        ("a.rs", ""),
        ("src/b.rs", ""),
        (".gitignore", "target\n*.log\n"),
        ("gone.rs", ""),
    ]);
    put(repository.path(), "target/x", "");
    put(repository.path(), "y.log", "");
    put(repository.path(), "new \u{e9}.rs", "");
    std::fs::remove_file(repository.path().join("gone.rs")).unwrap();
    let facts = repository_facts(repository.path()).unwrap();
    assert_eq!(facts.files, [".gitignore", "a.rs", "new \u{e9}.rs", "src/b.rs"]);
    assert!(facts.is_git);
    assert_eq!(facts.branch.as_deref(), Some("main"));
    assert_eq!(facts.root, repository.path().canonicalize().unwrap());
    let part = repository_facts(&repository.path().join("src")).unwrap();
    assert_eq!(part.files, ["b.rs"]);
    git(repository.path(), &["checkout", "-q", "--detach"]);
    assert_eq!(repository_facts(repository.path()).unwrap().branch, None);
}

#[test]
fn without_git_the_ignore_files_still_hold() {
    let plain = directory(&[
        ("a.rs", ""),
        (".gitignore", "target\n"),
        ("target/x", ""),
        ("src/b.rs", ""),
        (".github/ci.yml", ""),
        ("web/node_modules/a/index.js", ""),
        ("out/CACHEDIR.TAG", ""),
        ("out/x", ""),
    ]);
    let facts = repository_facts(plain.path()).unwrap();
    assert_eq!(facts.files, [".github/ci.yml", ".gitignore", "a.rs", "src/b.rs"]);
    assert!(!facts.is_git && facts.branch.is_none());
    assert!(repository_facts(&plain.path().join("nowhere")).is_err());
}

#[test]
fn a_large_repository_keeps_the_nearest_files() {
    let plain = directory(&[]);
    for index in 0..MAX_FILES {
        put(plain.path(), &format!("deep/down/{index:05}"), "");
    }
    put(plain.path(), "top", "");
    put(plain.path(), "zone/near", "");
    let facts = repository_facts(plain.path()).unwrap();
    assert_eq!(facts.files.len(), MAX_FILES);
    for near in ["top", "zone/near", "deep/down/00000"] {
        assert!(facts.files.iter().any(|file| file == near), "{near}");
    }
}

#[track_caller]
fn check(files: &[(&str, &str)], expect: &[&str]) {
    let plain = directory(files);
    let facts = repository_facts(plain.path()).unwrap();
    let found: Vec<String> = facts
        .test_commands
        .iter()
        .map(|command| format!("{} ({})", command.argv.join(" "), command.found_in))
        .collect();
    assert_eq!(found, expect);
}

const CLASS: &str =
    "import unittest\n\nclass A(unittest.TestCase):\n    def test_x(self):\n        pass\n";
const FUNCTION: &str = "def test_x():\n    assert True\n";

#[test]
fn rust_projects() {
    check(&[("Cargo.toml", "[package]\n")], &["cargo test --no-fail-fast (Cargo.toml)"]);
    check(
        &[("Cargo.toml", "[workspace]\nmembers = []\n")],
        &["cargo test --no-fail-fast --workspace (Cargo.toml)"],
    );
    check(
        &[("backend/Cargo.toml", "[package]\n"), ("backend/tools/x/Cargo.toml", "")],
        &["cargo test --no-fail-fast --manifest-path backend/Cargo.toml (backend/Cargo.toml)"],
    );
}

#[test]
fn python_projects() {
    check(
        &[("calc.py", ""), ("test_calc.py", CLASS)],
        &["python3 -m unittest discover (test_calc.py)", "python3 -m pytest -q (test_calc.py)"],
    );
    check(
        &[("calc.py", ""), ("tests/test_calc.py", CLASS)],
        &[
            "python3 -m unittest discover -s tests (tests/test_calc.py)",
            "python3 -m pytest -q (tests/test_calc.py)",
        ],
    );
    check(
        &[("tests/__init__.py", ""), ("tests/test_calc.py", CLASS), ("pytest.ini", "[pytest]\n")],
        &["python3 -m pytest -q (pytest.ini)", "python3 -m unittest discover (pytest.ini)"],
    );
    check(&[("tests/test_calc.py", FUNCTION)], &["python3 -m pytest -q (tests/test_calc.py)"]);
    check(
        &[("pyproject.toml", "[tool.pytest.ini_options]\n"), ("tests/test_calc.py", FUNCTION)],
        &["python3 -m pytest -q (pyproject.toml)"],
    );
    check(
        &[("test_a.py", FUNCTION), (".venv/bin/python", ""), (".gitignore", ".venv\n")],
        &[".venv/bin/python -m pytest -q (test_a.py)"],
    );
    check(&[("calc.py", ""), ("pyproject.toml", "[project]\n")], &[]);
}

#[test]
fn javascript_projects() {
    check(
        &[("package.json", r#"{"scripts":{"test":"jest"}}"#)],
        &["npm test --silent (package.json)"],
    );
    check(
        &[("package.json", r#"{"scripts":{"test":"vitest"}}"#), ("pnpm-lock.yaml", "")],
        &["pnpm test (package.json)"],
    );
    check(
        &[("web/package.json", r#"{"scripts":{"test":"jest"}}"#)],
        &["npm --prefix web test --silent (web/package.json)"],
    );
    let unset = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
    check(&[("package.json", unset), ("sum.test.js", "")], &["node --test (sum.test.js)"]);
    check(&[("test/sum.mjs", "")], &["node --test (test/sum.mjs)"]);
    check(&[("package.json", "not json"), ("sum.js", "")], &[]);
}

#[test]
fn others_and_mixtures() {
    check(&[("go.mod", "module x\n")], &["go test ./... (go.mod)"]);
    check(&[("Makefile", "all:\n\ntest: all\n\t./run\n")], &["make test (Makefile)"]);
    check(&[("Makefile", "test-all:\n\ttrue\ntest := x\n")], &[]);
    check(
        &[("Cargo.toml", "[package]\n"), ("package.json", r#"{"scripts":{"test":"x"}}"#)],
        &["cargo test --no-fail-fast (Cargo.toml)", "npm test --silent (package.json)"],
    );
    check(
        &[("Cargo.toml", "[package]\n"), ("evals/py/test_x.py", CLASS), ("evals/js/a.test.js", "")],
        &["cargo test --no-fail-fast (Cargo.toml)"],
    );
    check(&[("deep/py/test_x.py", FUNCTION)], &["python3 -m pytest -q (deep/py/test_x.py)"]);
    check(&[], &[]);
}
