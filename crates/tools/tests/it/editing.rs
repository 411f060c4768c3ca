//! Tools that change files.

use std::os::unix::fs::PermissionsExt as _;

use protocol::{ChangeKind, FileChangeItem, ItemStatus};

use super::*;

/// The path that the model was told leads over a link.
#[tokio::test]
async fn files_are_named_by_the_path_that_the_thread_was_started_with() {
    let repository = repository(&[("src/a.txt", "one\n")]);
    let place = directory(&[]);
    let link = place.path().join("proj");
    std::os::unix::fs::symlink(repository.path(), &link).unwrap();
    let context = context(&link, Style::Full);
    let file = link.join("src/a.txt");
    let file = file.display();
    let patch =
        format!("*** Begin Patch\n*** Update File: {file}\n@@\n-one\n+two\n*** End Patch\n");
    let arguments = serde_json::json!({ "input": patch }).to_string();
    let output = told(&context, "apply_patch", &arguments).await;
    assert_eq!(std::fs::read_to_string(link.join("src/a.txt")).unwrap(), "two\n", "{output}");
    let arguments = serde_json::json!({ "path": file.to_string() }).to_string();
    assert!(told(&context, "read_file", &arguments).await.contains("two"));
    let arguments = serde_json::json!({ "directory": link.join("src") }).to_string();
    let listed = told(&context, "list_files", &arguments).await;
    assert!(listed.contains("a.txt"), "{listed}");
}

fn changes(item: &ItemBody) -> &FileChangeItem {
    match item {
        ItemBody::FileChange(item) => item,
        other => panic!("{other:?}"),
    }
}

async fn run(context: &ToolContext, name: &str, arguments: serde_json::Value) -> ToolOutcome {
    finish(toolbox().start(&call(name, &arguments.to_string()), context)).await.1
}

fn text(root: &TempDir, path: &str) -> String {
    std::fs::read_to_string(root.path().join(path)).unwrap()
}

#[tokio::test]
async fn a_patch_is_applied_and_told() {
    let directory = directory(&[("a.txt", "one\ntwo\nthree\n"), ("old", "x\n"), ("mv", "m\n")]);
    set_mode(&directory, "mv", 0o755);
    let context = context(directory.path(), Style::Full);
    let patch = "*** Begin Patch
*** Update File: ./a.txt
@@
 one
-two
+2
*** Add File: d/new
+n
*** Delete File: old
*** Update File: mv
*** Move to: moved
*** End Patch";
    let outcome = run(&context, "apply_patch", serde_json::json!({ "input": patch })).await;
    assert_eq!(
        outcome.output,
        "Done: a.txt (1 line added, 1 removed), d/new (new), old (deleted), \
         mv to moved (0 lines added, 0 removed)."
    );
    let item = changes(&outcome.item);
    assert_eq!(item.status, ItemStatus::Completed);
    let kinds: Vec<(&str, &ChangeKind)> =
        item.changes.iter().map(|it| (it.path.as_str(), &it.kind)).collect();
    let moved = ChangeKind::Update { moved_to: Some("moved".to_owned()) };
    let update = ChangeKind::Update { moved_to: None };
    assert_eq!(
        kinds,
        [
            ("a.txt", &update),
            ("d/new", &ChangeKind::Add),
            ("old", &ChangeKind::Delete),
            ("mv", &moved)
        ]
    );
    assert_eq!(
        item.changes[0].diff,
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    );
    assert_eq!(text(&directory, "a.txt"), "one\n2\nthree\n");
    assert_eq!(text(&directory, "d/new"), "n\n");
    assert_eq!((text(&directory, "moved"), mode(&directory, "moved")), ("m\n".to_owned(), 0o755));
    assert!(!directory.path().join("old").exists() && !directory.path().join("mv").exists());
}

#[tokio::test]
async fn a_patch_in_a_script_is_applied() {
    let directory = directory(&[("a.txt", "one\n")]);
    let context = context(directory.path(), Style::Full);
    let command = "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+1\n*** End Patch\nEOF\n";
    let outcome = run(&context, "shell", serde_json::json!({ "command": command })).await;
    assert_eq!(outcome.output, "Done: a.txt (1 line added, 1 removed).");
    assert_eq!(text(&directory, "a.txt"), "1\n");
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_changes_nothing() {
    let repository = repository(&[("a.txt", "one\n")]);
    let mut context = context(repository.path(), Style::Full);
    for (body, because) in [
        ("*** Delete File: a.txt\n*** Delete File: b", "Nothing was changed: b does not exist."),
        (
            "*** Delete File: a.txt\n*** Add File: ../b\n+x",
            "Nothing was changed: ../b is outside the workspace.",
        ),
        (
            "*** Delete File: a.txt\n*** Add File: .git/hooks/x\n+x",
            "Nothing was changed: .git/hooks/x belongs to git or to duet and is not written by tools.",
        ),
        (
            "*** Update File: a.txt\n@@\n-two",
            "Nothing was changed: a.txt, hunk 1 of 1: its lines are not in the file.",
        ),
        ("", "Nothing was changed: line 3 of the patch: the patch changes no file."),
    ] {
        let input = format!("*** Begin Patch\n{body}\n*** End Patch");
        let outcome = run(&context, "apply_patch", serde_json::json!({ "input": input })).await;
        assert_eq!(outcome.output, because);
        assert_eq!(changes(&outcome.item).status, ItemStatus::Failed);
        assert_eq!(text(&repository, "a.txt"), "one\n");
    }
    context.sandbox.mode = SandboxMode::ReadOnly;
    let input = "*** Begin Patch\n*** Delete File: a.txt\n*** End Patch";
    let outcome = run(&context, "apply_patch", serde_json::json!({ "input": input })).await;
    assert_eq!(outcome.output, "Files may only be read in this thread.");
}

fn mode(root: &TempDir, path: &str) -> u32 {
    std::fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o777
}

fn set_mode(root: &TempDir, path: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(root.path().join(path), permissions).unwrap();
}

/// Two files change places, by a third name; what is moved stays what it was.
const SWAP: &str = "*** Update File: a
*** Move to: t
*** Update File: b
*** Move to: a
*** Update File: t
*** Move to: b";

#[tokio::test]
async fn files_can_change_places() {
    let directory = directory(&[("a", "A\n"), ("b", "B\n"), ("old", "O\n"), ("x", "X\n")]);
    set_mode(&directory, "a", 0o755);
    set_mode(&directory, "b", 0o600);
    let context = context(directory.path(), Style::Full);
    // Over a file that is deleted, in either order; and a file gives way to a directory.
    let input = format!(
        "*** Begin Patch\n{SWAP}\n*** Delete File: old\n*** Add File: new\n+N\n\
         *** Update File: new\n*** Move to: old\n*** Delete File: x\n*** Add File: x/y\n+Y\n\
         *** End Patch"
    );
    let outcome = run(&context, "apply_patch", serde_json::json!({ "input": input })).await;
    assert!(outcome.output.starts_with("Done: "), "{}", outcome.output);
    assert_eq!((text(&directory, "a"), mode(&directory, "a")), ("B\n".to_owned(), 0o600));
    assert_eq!((text(&directory, "b"), mode(&directory, "b")), ("A\n".to_owned(), 0o755));
    assert_eq!(text(&directory, "old"), "N\n");
    assert_eq!(text(&directory, "x/y"), "Y\n");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[tokio::test]
async fn a_swap_is_taken_back_as_well() {
    let directory = directory(&[("a", "A\n"), ("b", "B\n"), ("d/b", "two\n")]);
    set_mode(&directory, "a", 0o755);
    set_mode(&directory, "b", 0o600);
    let context = context(directory.path(), Style::Full);
    let input = format!("*** Begin Patch\n{SWAP}\n*** Add File: d/b/c\n+x\n*** End Patch");
    let outcome = run(&context, "apply_patch", serde_json::json!({ "input": input })).await;
    assert!(outcome.output.starts_with("Nothing was changed: d/b"), "{}", outcome.output);
    assert_eq!((text(&directory, "a"), mode(&directory, "a")), ("A\n".to_owned(), 0o755));
    assert_eq!((text(&directory, "b"), mode(&directory, "b")), ("B\n".to_owned(), 0o600));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn half_a_patch_on_the_disk_is_taken_back() {
    let directory = directory(&[("a", "one\n"), ("d/b", "two\n")]);
    let context = context(directory.path(), Style::Full);
    // The second file's directory has a file in the way, which only the write finds out.
    let input =
        "*** Begin Patch\n*** Update File: a\n@@\n-one\n+1\n*** Add File: d/b/c\n+x\n*** End Patch";
    let outcome = run(&context, "apply_patch", serde_json::json!({ "input": input })).await;
    assert!(outcome.output.starts_with("Nothing was changed: d/b"), "{}", outcome.output);
    assert_eq!(text(&directory, "a"), "one\n");
}

/// A repository's `ast.py` is its own affair.
#[tokio::test]
async fn a_check_runs_nothing_of_the_repository() {
    let ours = "import sys\ndef parse(text):\n    if 'two' in text:\n        sys.exit('ran')\n";
    let directory = directory(&[("ast.py", ours), ("a.py", "one = 1\n")]);
    let context = context(directory.path(), Style::Typed);
    let arguments = serde_json::json!({ "path": "a.py", "content": "one = 1\ntwo = 2\n" });
    let outcome = run(&context, "write_file", arguments).await;
    assert!(outcome.output.starts_with("a.py is changed:"), "{}", outcome.output);
}

const CALC: &str = "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return add(a, a)\n";

#[tokio::test]
async fn a_small_model_edits_with_a_net() {
    let directory = directory(&[("calc.py", CALC)]);
    let context = context(directory.path(), Style::Typed);
    let write = async |content: &str| {
        let arguments = serde_json::json!({ "path": "calc.py", "content": content });
        run(&context, "write_file", arguments).await.output
    };
    assert_eq!(
        write("def add(a, b):\n    return a + b\n").await,
        "Not changed. It would remove twice from calc.py. Write the whole file with everything \
         that is in it now."
    );
    let broken = write(&CALC.replace("a - b", "(a - b")).await;
    assert_eq!(
        broken,
        "Not changed. The new text has a syntax error: line 2: '(' was never closed"
    );
    assert_eq!(write(CALC).await, "Not changed. That is what calc.py says already.");
    assert_eq!(text(&directory, "calc.py"), CALC);
    assert_eq!(
        write(CALC.replace('-', "+").trim_end()).await,
        "calc.py is changed:\n def add(a, b):\n-    return a - b\n+    return a + b\n \n \n def twice(a):"
    );
    assert_eq!(text(&directory, "calc.py"), CALC.replace('-', "+"));
}

#[tokio::test]
async fn lines_are_replaced_by_number() {
    let directory = directory(&[("calc.py", CALC), ("crlf.txt", "a\r\nb"), (".git/x", "x")]);
    let context = context(directory.path(), Style::Typed);
    let replace = async |path: &str, first: u32, last: u32, text: &str| {
        let arguments = serde_json::json!({
            "path": path, "first_line": first, "last_line": last, "text": text,
        });
        run(&context, "replace_lines", arguments).await.output
    };
    let told = replace("calc.py", 2, 2, "    return a + b").await;
    assert!(told.starts_with("calc.py is changed:\n"), "{told}");
    assert_eq!(text(&directory, "calc.py"), CALC.replace('-', "+"));
    replace("calc.py", 3, 4, "").await;
    assert!(text(&directory, "calc.py").contains("return a + b\ndef twice"));
    replace("crlf.txt", 2, 2, "B\nC\n").await;
    assert_eq!(text(&directory, "crlf.txt"), "a\r\nB\r\nC");
    for (path, first, last, because) in [
        ("calc.py", 9, 9, "Not changed. calc.py has 4 lines; lines 9 to 9 are not in it."),
        ("calc.py", 2, 1, "Not changed. calc.py has 4 lines; lines 2 to 1 are not in it."),
        ("nothing", 1, 1, "Not changed. nothing does not exist."),
        (
            ".git/x",
            1,
            1,
            "Not changed. .git/x belongs to git or to duet and is not written by tools.",
        ),
    ] {
        assert_eq!(replace(path, first, last, "x").await, because);
    }
    let broken = replace("calc.py", 1, 1, "def add(a, b)").await;
    assert!(broken.starts_with("Not changed. The new text has a syntax error: line 1"), "{broken}");
}

#[tokio::test]
async fn each_language_is_parsed_by_its_own_tools() {
    let directory = directory(&[]);
    for (path, before, after) in [
        ("a.rs", "mod b;\nfn a() {}\n", "mod b;\nfn a() {\n"),
        ("a.js", "const a = 1;\n", "const a = (;\n"),
        ("m.js", "import x from 'y';\n", "import x from 'y'\nconst = 1;\n"),
        ("a.json", "{\"a\": 1}\n", "{\"a\": }\n"),
        ("a.sh", "if true; then echo; fi\n", "if true; then echo;\n"),
        ("a.py", "x = 1\n", "x = = 1\n"),
    ] {
        put(directory.path(), path, before);
        let context = context(directory.path(), Style::Typed);
        let arguments = serde_json::json!({
            "path": path, "first_line": 1, "last_line": before.lines().count(), "text": after,
        });
        let outcome = run(&context, "replace_lines", arguments).await;
        let because = "Not changed. The new text has a syntax error: ";
        assert!(outcome.output.starts_with(because), "{path}: {}", outcome.output);
        let fine = format!("{before}\n");
        let arguments = serde_json::json!({
            "path": path, "first_line": 1, "last_line": before.lines().count(), "text": fine,
        });
        let outcome = run(&context, "replace_lines", arguments).await;
        assert!(outcome.output.starts_with(&format!("{path} is changed")), "{}", outcome.output);
        // What is broken already may be edited step by step.
        put(directory.path(), path, after);
        let arguments = serde_json::json!({
            "path": path, "first_line": 1, "last_line": 1, "text": "(still broken",
        });
        let outcome = run(&context, "replace_lines", arguments).await;
        assert!(outcome.output.starts_with(&format!("{path} is changed")), "{}", outcome.output);
    }
}
