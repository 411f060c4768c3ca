//! Searches over files.

use std::os::unix::fs::symlink;
use std::time::Duration;

use workspace::{Found, Patience, Query, Root, SearchLimits, nearest, search};

use super::*;

const LIMITS: SearchLimits =
    SearchLimits { matches: 10, file_bytes: 10_000, time: Duration::from_secs(60) };

fn patience() -> Patience {
    Patience::of(Duration::MAX)
}

#[track_caller]
fn check(directory: &TempDir, query: &Query, limits: SearchLimits, expect: &[&str]) {
    let root = Root::open(directory.path()).unwrap();
    let found = search(&root, query, limits, &patience());
    let mut lines: Vec<String> =
        found.matches.iter().map(|it| format!("{}:{}: {}", it.path, it.line, it.text)).collect();
    if found.cut {
        lines.push("cut".to_owned());
    }
    assert_eq!(lines, expect);
}

#[test]
fn files_are_searched_in_order() {
    let plain = directory(&[
        ("b.py", "MAX_RETRIES = 3\n"),
        ("a/x.js", "// first\nlet maxRetries = 2  \n"),
        ("data.bin", "max retries\0"),
        ("big.txt", &"max retries\n".repeat(1000)),
        (".gitignore", "ignored\n"),
        ("ignored", "max retries"),
        (".git/config", "max retries"),
        ("latin1.txt", "max retries"),
    ]);
    std::fs::write(plain.path().join("latin1.txt"), b"caf\xe9 max_retries\n").unwrap();
    symlink(plain.path().join("b.py"), plain.path().join("link.py")).unwrap();
    let found = [
        "a/x.js:2: let maxRetries = 2",
        "b.py:1: MAX_RETRIES = 3",
        "latin1.txt:1: caf\u{FFFD} max_retries",
    ];
    check(&plain, &Query::spoken("max retries").unwrap(), LIMITS, &found);
    check(&plain, &Query::literal("MAX_retries").unwrap(), LIMITS, &found[1..]);
    check(&plain, &Query::regex("^let").unwrap(), LIMITS, &found[..1]);
    let one = SearchLimits { matches: 1, ..LIMITS };
    check(&plain, &Query::spoken("max retries").unwrap(), one, &[found[0], "cut"]);
    let at_once = SearchLimits { time: Duration::ZERO, ..LIMITS };
    check(&plain, &Query::spoken("max retries").unwrap(), at_once, &["cut"]);
}

/// A pipe that nobody writes to would hold the walk for ever.
#[test]
fn ignore_files_that_are_no_files_hold_nobody() {
    let files = [("a", "needle\n"), ("b/c", "needle\n"), ("d/e", "needle\n"), ("f/g", "needle\n")];
    let plain = directory(&files);
    let root = plain.path();
    let pipe = root.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink(&pipe, root.join("b/.gitignore")).unwrap();
    std::fs::create_dir_all(root.join("d/.git/info")).unwrap();
    symlink(&pipe, root.join("d/.git/info/exclude")).unwrap();
    // A work tree whose repository is elsewhere.
    put(root, "f/.git", &format!("gitdir: {}\n", root.join("elsewhere").display()));
    std::fs::create_dir(root.join("elsewhere")).unwrap();
    symlink(&pipe, root.join("elsewhere/commondir")).unwrap();
    let needle = Query::literal("needle").unwrap();
    check(&plain, &needle, LIMITS, &["a:1: needle"]);
    // At the root and above it, the walk does without rules.
    symlink(&pipe, root.join(".ignore")).unwrap();
    check(&plain, &needle, LIMITS, &["a:1: needle"]);
    let below = Root::open(&root.join("d")).unwrap();
    std::fs::remove_file(root.join("d/.git/info/exclude")).unwrap();
    assert_eq!(search(&below, &needle, LIMITS, &patience()).matches.len(), 1);
    assert_eq!(workspace::repository_facts(&root.join("d")).unwrap().files, ["e"]);
    // A link to a file is one.
    let linked = directory(&[("rules", "a\n"), ("a", "needle\n"), ("b", "needle\n")]);
    symlink("rules", linked.path().join(".gitignore")).unwrap();
    check(&linked, &needle, LIMITS, &["b:1: needle"]);
}

#[test]
fn a_search_ends_with_the_patience_of_who_asked() {
    let plain = directory(&[("a", "needle\n")]);
    let root = Root::open(plain.path()).unwrap();
    let needle = Query::literal("needle").unwrap();
    let cut = Found { matches: Vec::new(), cut: true };
    assert_eq!(search(&root, &needle, LIMITS, &Patience::of(Duration::ZERO)), cut);
    let patience = patience();
    assert_eq!(search(&root, &needle, LIMITS, &patience).matches.len(), 1);
    // By somebody else, on another thread for instance.
    patience.clone().end();
    assert_eq!(search(&root, &needle, LIMITS, &patience), cut);
}

/// A recogniser writes what it knows, and the repository says what was meant.
#[test]
fn a_misheard_word_is_taken_for_one_that_is_there() {
    let directory = directory(&[
        ("Cargo.lock", "version = 3\ngall = 1\n"),
        ("src/wind.rs", "use std::f32;\nconst GALE_KNOTS: f32 = 34.0;\nfn limit() {}\n"),
    ]);
    let root = Root::open(directory.path()).unwrap();
    let limits = SearchLimits { matches: 1, file_bytes: 1 << 20, time: Duration::from_secs(10) };
    let first = |text: &str| {
        let found = nearest(&root, text, limits, &patience());
        found.matches.first().map(|it| format!("{}:{}", it.path, it.line))
    };
    assert_eq!(first("at how many knots is it a gall").as_deref(), Some("src/wind.rs:2"));
    assert_eq!(first("what is a gall").as_deref(), Some("src/wind.rs:2"));
    // What package managers write is nobody's answer.
    assert_eq!(first("which version"), None);
}

/// What a question is about is not always in its rarest words.
#[test]
fn definitions_and_small_words_are_found_where_they_are_asked_for() {
    let directory = directory(&[
        (
            "src/reading.rs",
            "/// One field of it may be missing.\nenum Bad {\n    Field,\n}\n\
             pub struct Reading {\n    time: u32,\n}\n",
        ),
        (
            "src/shop.py",
            "def find(self, text):\n    pass\n\n# Late fees.\nFEE = 35\ndef fee(days):\n",
        ),
    ]);
    let root = Root::open(directory.path()).unwrap();
    let limits = SearchLimits { matches: 1, file_bytes: 1 << 20, time: Duration::from_secs(10) };
    let first = |text: &str| {
        let found = nearest(&root, text, limits, &patience());
        found.matches.first().map(|it| format!("{}:{}", it.path, it.line))
    };
    assert_eq!(first("which fields does a reading have").as_deref(), Some("src/reading.rs:5"));
    assert_eq!(first("what does find do").as_deref(), Some("src/shop.py:1"));
    assert_eq!(first("the fee becomes twenty cents").as_deref(), Some("src/shop.py:5"));
}
