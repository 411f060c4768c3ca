//! Tools that look.

use super::*;

const LIB: &str = "\
/// Tries again this often.
pub const MAX_RETRIES: u32 = 3;

pub fn fetch() -> u32 {
    MAX_RETRIES
}
";

#[tokio::test]
async fn a_small_model_looks_around() {
    let repository = repository(&[("src/lib.rs", LIB), ("README.md", "# x\n")]);
    let root = repository.path();
    let context = context(root, Style::Typed);
    assert_eq!(
        told(&context, "list_files", "{}").await,
        "2 files:\nREADME.md (1 line)\nsrc/lib.rs (6 lines)\n"
    );
    // Whole, and as it would be written again.
    assert_eq!(
        told(&context, "read_file", r#"{"path":"src/lib.rs"}"#).await,
        format!("src/lib.rs:\n```\n{}\n```", LIB.trim_end())
    );
    assert_eq!(
        told(&context, "read_file", r#"{"path":"src/lib.rs","start_line":5}"#).await,
        "src/lib.rs, lines 5 to 6 of 6:\n5:     MAX_RETRIES\n6: }\n"
    );
    assert_eq!(
        told(&context, "search", r#"{"question":"max retries"}"#).await,
        "\"max retries\" is on 2 lines in 1 file:\n\
         src/lib.rs:\n1: /// Tries again this often.\n2: pub const MAX_RETRIES: u32 = 3;\n\
         4: pub fn fetch() -> u32 {\n5:     MAX_RETRIES\n6: }\n"
    );
    assert_eq!(
        told(&context, "search", r#"{"question":"how often is a fetch retried?"}"#).await,
        "No line has \"how often is a fetch retried?\"; these have words of it:\n\
         src/lib.rs:\n1: /// Tries again this often.\n2: pub const MAX_RETRIES: u32 = 3;\n\
         4: pub fn fetch() -> u32 {\n5:     MAX_RETRIES\n6: }\n"
    );
    assert_eq!(
        told(&context, "search", r#"{"question":"timeout"}"#).await,
        "\"timeout\" was not found in any file."
    );
    assert_eq!(
        told(&context, "git_status", "").await,
        "On branch main. Everything is committed: there are no changes."
    );
    assert_eq!(
        told(&context, "git_diff", "").await,
        "No file that git knows was changed since the last commit."
    );
    put(root, "src/lib.rs", &LIB.replace("= 3", "= 4"));
    put(root, "new.rs", "");
    assert_eq!(
        told(&context, "git_status", "").await,
        "On branch main. 2 files have changes that are not committed.\n\
         Changed: src/lib.rs\nNew, not known to git: new.rs"
    );
    let diff = told(&context, "git_diff", "").await;
    assert!(diff.contains("-pub const MAX_RETRIES: u32 = 3;\n+pub const MAX_RETRIES: u32 = 4;\n"));
    assert!(!diff.contains("index "), "{diff}");
    let log = told(&context, "git_log", "").await;
    assert!(log.ends_with(" on 2026-01-02 by Ann: First (the very first commit)"), "{log}");
    let last = told(&context, "last_commit", "").await;
    assert!(last.contains(" by Ann on 2026-01-02: First") && last.contains("+# x"), "{last}");
}

#[tokio::test]
async fn unusual_files_are_told_and_not_shown() {
    let directory = directory(&[("empty", ""), ("zero", "a\0b"), ("one", "x")]);
    let context = context(directory.path(), Style::Full);
    assert_eq!(told(&context, "read_file", r#"{"path":"empty"}"#).await, "empty is empty.");
    assert_eq!(
        told(&context, "read_file", r#"{"path":"zero"}"#).await,
        "zero is not a text file (3 bytes)."
    );
    assert_eq!(
        told(&context, "read_file", r#"{"path":"one","start_line":9}"#).await,
        "one has only 1 line."
    );
}

#[tokio::test]
async fn large_repositories_are_summed_up() {
    let directory = directory(&[]);
    for index in 0..50 {
        put(directory.path(), &format!("src/deep/er/f{index}.rs"), "fn needle() {}\n");
    }
    put(directory.path(), "top.rs", "");
    let context = context(directory.path(), Style::Typed);
    assert_eq!(told(&context, "list_files", "").await, "51 files:\n./: 1\nsrc/deep/: 50\n");
    let found = told(&context, "search", r#"{"question":"needle"}"#).await;
    assert!(found.starts_with("\"needle\" is on more than 15 lines; the first are:\n"), "{found}");
}

/// Nothing that was found is lost because it cannot be shown with what is around it.
#[tokio::test]
async fn what_has_no_surroundings_is_told_all_the_same() {
    let directory = directory(&[("long.py", &format!("needle({}", "1,\n".repeat(4000)))]);
    std::fs::write(directory.path().join("latin.py"), b"needle = 'caf\xe9'\n").unwrap();
    let context = context(directory.path(), Style::Typed);
    let found = told(&context, "search", r#"{"question":"needle"}"#).await;
    assert!(found.contains("latin.py:1: needle = 'caf"), "{found}");
    assert!(found.contains("long.py:\n1: needle(1,\n2: 1,\n") && found.len() < 2_600, "{found}");
}
