//! Patches on small trees: what becomes of the files, or why nothing does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod garbage;

use apply_patch::{Change, Patch, Tree, apply};

/// Applies `patch` to `files` and compares what it did, file by file, or the refusal.
///
/// `expect` shows `path:` and the new text, `path deleted`, `path -> path:`; a missing end of the
/// last line is shown as `\`.
#[track_caller]
fn check(files: &[(&str, &str)], patch: &str, expect: &str) {
    let tree: Tree =
        files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())).collect();
    let patch = format!("*** Begin Patch\n{}\n*** End Patch\n", patch.trim_matches('\n'));
    let shown = match Patch::parse(&patch).map(|patch| apply(&patch, &tree)) {
        Ok(Ok(changes)) => changes.iter().map(show).collect(),
        Ok(Err(rejection)) => format!("rejected: {rejection}"),
        Err(error) => format!("no patch: {error}"),
    };
    assert_eq!(shown.trim_matches('\n'), expect.trim_matches('\n'), "\n{shown}");
}

fn show(change: &Change) -> String {
    let Change { path, before, after, moved_to } = change;
    let name = match (before, moved_to) {
        (_, Some(target)) => format!("{path} -> {target}"),
        (None, None) => format!("{path} (new)"),
        (Some(_), None) => path.clone(),
    };
    match after {
        None => format!("{name} deleted\n"),
        Some(text) => {
            let text = text.replace('\r', "<CR>");
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\\\n" };
            format!("{name}:\n{text}{end}")
        }
    }
}

const ABC: (&str, &str) = ("f", "a\nb\nc\n");

#[test]
fn files_are_added_deleted_and_moved() {
    check(&[], "*** Add File: d/new\n+one\n+\n+ two", "d/new (new):\none\n\n two");
    check(&[], "*** Add File: empty", "empty (new):");
    // Empty lines that lost their `+` are lines of the file, where they are between others.
    check(&[], "*** Add File: f\n\n+a\n\n  \n+b\n\n", "f (new):\na\n\n\nb");
    check(&[], "*** Add File: f\n+a\n\n*** Add File: g\n+b", "f (new):\na\ng (new):\nb");
    check(&[ABC], "*** Delete File: f", "f deleted");
    check(&[ABC], "*** Update File: f\n*** Move to: g", "f -> g:\na\nb\nc");
    check(&[ABC], "*** Update File: f\n*** Move to: g\n@@\n-b\n+B", "f -> g:\na\nB\nc");
    check(
        &[ABC],
        "*** Add File: f\n+x",
        "rejected: f exists already; update it, or delete it first",
    );
    check(&[ABC], "*** Delete File: g", "rejected: g does not exist");
    check(&[ABC], "*** Update File: g\n@@\n-b", "rejected: g does not exist");
    check(
        &[ABC, ("g", "")],
        "*** Update File: f\n*** Move to: g",
        "rejected: g exists already; update it, or delete it first",
    );
}

#[test]
fn lines_are_replaced_where_they_stand() {
    check(&[ABC], "*** Update File: f\n@@\n a\n-b\n+B\n c", "f:\na\nB\nc");
    check(&[ABC], "*** Update File: f\n-b\n+B", "f:\na\nB\nc");
    check(&[ABC], "*** Update File: f\n@@\n-a\n@@\n c\n+d", "f:\nb\nc\nd");
    check(&[ABC], "*** Update File: f\n@@\n+z", "f:\na\nb\nc\nz");
    check(&[ABC], "*** Update File: f\n@@ a\n+z", "f:\na\nz\nb\nc");
    check(&[("f", "")], "*** Update File: f\n@@\n+z", "f:\nz");
    check(&[ABC], "*** Update File: f\n@@\n-a\n-b\n-c", "f:\n");
}

#[test]
fn a_context_says_which_of_several_is_meant() {
    let twice = ("f", "fn a() {\n    x();\n}\nfn b() {\n    x();\n}\n");
    let b = "f:\nfn a() {\n    x();\n}\nfn b() {\n    y();\n}";
    check(&[twice], "*** Update File: f\n@@ fn b() {\n-    x();\n+    y();", b);
    check(&[twice], "*** Update File: f\n@@ fn b()\n-    x();\n+    y();", b);
    check(&[twice], "*** Update File: f\n@@ fn b() @@\n-    x();\n+    y();", b);
    check(&[twice], "*** Update File: f\n@@ fn b()\n fn b() {\n-    x();\n+    y();", b);
    check(
        &[twice],
        "*** Update File: f\n@@\n-    x();\n+    y();",
        "f:\nfn a() {\n    y();\n}\nfn b() {\n    x();\n}",
    );
    check(
        &[("f", "class A\n  def m\n    x\nclass B\n  def m\n    x\n")],
        "*** Update File: f\n@@ class B\n@@   def m\n-    x\n+    y",
        "f:\nclass A\n  def m\n    x\nclass B\n  def m\n    y",
    );
    check(&[twice], "*** Update File: f\n@@\n-    x();\n+    y();\n }\n*** End of File", b);
    check(
        &[twice],
        "*** Update File: f\n@@ fn c()\n-    x();",
        "rejected: f, hunk 1 of 1: there is no line `fn c()`; nearest is line 1, which is \
         `fn a() {` and not `fn c()`",
    );
}

#[test]
fn spaces_and_typography_do_not_matter_but_stay() {
    check(
        &[("f", "a  \n\tb\nc\n")],
        "*** Update File: f\n@@\n a\n     b\n-c\n+d",
        "f:\na  \n\tb\nd",
    );
    check(
        &[("f", "say(\u{201c}hi\u{201d}) \u{2014} it\u{2019}s\nx\n")],
        "*** Update File: f\n@@\n say(\"hi\") - it's\n-x\n+y",
        "f:\nsay(\u{201c}hi\u{201d}) \u{2014} it\u{2019}s\ny",
    );
    // Exact beats loose, wherever it stands.
    check(&[("f", "  b\nb\n")], "*** Update File: f\n@@\n-b\n+B", "f:\n  b\nB");
}

#[test]
fn line_ends_are_the_files_own() {
    check(
        &[("f", "a\r\nb\r\n")],
        "*** Update File: f\n@@\n a\n-b\n+B\n+C",
        "f:\na<CR>\nB<CR>\nC<CR>",
    );
    check(&[("f", "a\r\nb\n c\r\n")], "*** Update File: f\n@@\n-a\n+A", "f:\nA<CR>\nb\n c<CR>");
    check(&[("f", "a\nb")], "*** Update File: f\n@@\n-b\n+B", "f:\na\nB\\");
    check(&[("f", "a\nb")], "*** Update File: f\n@@\n b\n+c", "f:\na\nb\nc\\");
    check(&[("f", "a\nb")], "*** Update File: f\n@@\n-b", "f:\na\\");
    check(&[ABC], "*** Update File: f\r\n@@\r\n-b\r\n+B\r", "f:\na\nB\nc");
}

#[test]
fn a_refusal_names_the_nearest_line() {
    check(
        &[("f", "fn a() {\n    let x = 1;\n    print(x);\n}\n")],
        "*** Update File: f\n@@\n fn a() {\n-    let x = 2;\n+    let x = 3;",
        "rejected: f, hunk 1 of 1: its lines are not in the file; nearest is line 2, which is \
         `let x = 1;` and not `let x = 2;`",
    );
    check(
        &[ABC],
        "*** Update File: f\n@@\n-a\n+A\n@@\n c\n d",
        "rejected: f, hunk 2 of 2: its lines are not in the file; the file ends before line 4, \
         where `d` was expected",
    );
    check(
        &[("f", "let total = price * count;\n")],
        "*** Update File: f\n@@\n-let total = price + count;",
        "rejected: f, hunk 1 of 1: its lines are not in the file; nearest is line 1, which is \
         `let total = price * count;` and not `let total = price + count;`",
    );
    check(
        &[ABC],
        "*** Update File: f\n@@\n-qqq",
        "rejected: f, hunk 1 of 1: its lines are not in the file",
    );
}

#[test]
fn all_or_nothing_and_in_order() {
    check(&[ABC], "*** Delete File: f\n*** Delete File: g", "rejected: g does not exist");
    check(&[ABC], "*** Delete File: f\n*** Add File: f\n+x", "f:\nx");
    check(&[], "*** Add File: f\n+x\n*** Update File: f\n@@\n-x\n+y", "f (new):\ny");
    check(&[], "*** Add File: f\n+x\n*** Delete File: f", "");
    check(
        &[ABC],
        "*** Update File: f\n*** Move to: g\n*** Add File: f\n+new\n*** Update File: g\n@@\n-a",
        "f -> g:\nb\nc\nf (new):\nnew",
    );
    check(
        &[ABC],
        "*** Update File: f\n*** Move to: g\n*** Update File: f\n@@\n-a",
        "rejected: f does not exist",
    );
    check(
        &[ABC, ("g", "G\n")],
        "*** Update File: f\n@@\n-a\n*** Delete File: g\n*** Update File: f\n*** Move to: g\n*** Update File: g\n@@\n-b",
        "f -> g:\nc\ng deleted",
    );
    check(
        &[ABC],
        "*** Update File: f\n*** Move to: g\n*** Update File: g\n*** Move to: f\n@@\n-a",
        "f:\nb\nc",
    );
    check(&[ABC], "*** Update File: f\n*** Move to: g\n*** Delete File: g", "f deleted");
    check(&[ABC], "*** Update File: f\n@@\n-a\n*** Update File: f\n@@\n-b", "f:\nc");
    // A hunk that stands before the last one is found when there is no doubt.
    check(&[ABC], "*** Update File: f\n@@\n-c\n+C\n@@\n-a\n+A", "f:\nA\nb\nC");
}

#[test]
fn what_is_no_patch_is_told() {
    let update = "*** Update File: f\n";
    check(&[ABC], "", "no patch: line 3 of the patch: the patch changes no file");
    check(
        &[ABC],
        &format!("{update}@@\nb"),
        "no patch: line 4 of the patch: `b` is not a line that begins with a space, a `+` or a `-`",
    );
    check(&[ABC], update, "no patch: line 2 of the patch: nothing is changed in f");
    check(
        &[ABC],
        &format!("{update}@@ a"),
        "no patch: line 3 of the patch: this hunk has no lines",
    );
    check(
        &[ABC],
        "*** Add File: f\nx",
        "no patch: line 3 of the patch: `x` is not a line of the new file, after a `+`",
    );
    check(
        &[ABC],
        "*** Rename File: f",
        "no patch: line 2 of the patch: `*** Rename File: f` is not one of `*** Add File: PATH`, \
         `*** Update File: PATH`, `*** Delete File: PATH` and `*** End Patch`",
    );
    for text in ["", "hello", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n", "Sure!\n*** Begin Patch\n"] {
        let error = Patch::parse(text).unwrap_err();
        assert_eq!(error.to_string(), "line 1 of the patch: a patch begins with `*** Begin Patch`");
    }
    let unfinished = Patch::parse("*** Begin Patch\n*** Delete File: f\n").unwrap_err();
    assert_eq!(
        unfinished.to_string(),
        "line 2 of the patch: the patch ends without `*** End Patch`"
    );
}

#[test]
fn what_models_wrap_around_a_patch_is_taken_off() {
    let patch = "*** Begin Patch\n*** Delete File: f\n*** End Patch";
    let plain = Patch::parse(patch).unwrap();
    for text in [
        format!("apply_patch <<'EOF'\n{patch}\nEOF\n"),
        format!("<<EOF\n{patch}\nEOF"),
        format!("```\n{patch}\n```\n"),
        format!("\n\n  {}\n", patch.replace('\n', "\n  ")),
        patch.replace('\n', "\r\n"),
    ] {
        assert_eq!(Patch::parse(&text).as_ref(), Ok(&plain), "{text}");
    }
    assert_eq!(plain.paths().collect::<Vec<_>>(), ["f"]);
}

#[test]
fn bytes_that_are_no_text_are_left_alone() {
    let tree = Tree::from([("f".to_owned(), vec![0xff, b'\n'])]);
    let patch = "*** Begin Patch\n*** Update File: f\n@@\n+x\n*** End Patch";
    let rejection = apply(&Patch::parse(patch).unwrap(), &tree).unwrap_err();
    assert_eq!(rejection.to_string(), "f is not text");
}
