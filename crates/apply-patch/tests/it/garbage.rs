//! Damaged patches and random files: a refusal or a change, never a panic, never a lost line.

use stdx::Dice;

use super::*;

const FILE: &str = "fn a() {\n    one();\n\n    two();\n}\n\nfn b() {\n    one();\n}\n";
const PATCH: &str = "*** Begin Patch
*** Update File: f
*** Move to: g
@@ fn b() {
-    one();
+    three();
 }
@@
 fn a() {
+    zero();
     one();
*** Add File: h
+text
*** Delete File: i
*** End Patch
";

fn tree() -> Tree {
    Tree::from([("f".to_owned(), FILE.into()), ("i".to_owned(), b"gone\n".to_vec())])
}

#[test]
fn the_whole_patch_applies() {
    assert_eq!(apply(&Patch::parse(PATCH).unwrap(), &tree()).unwrap().len(), 3);
}

#[test]
fn lines_left_out_doubled_and_swapped() {
    let mut dice = Dice::new(1);
    let mut applied = 0;
    for _ in 0..20_000 {
        let mut lines: Vec<&str> = PATCH.lines().collect();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(lines.len() as u64) as usize;
            let other = dice.roll(lines.len() as u64) as usize;
            match dice.roll(3) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other]),
                _ => lines.swap(at, other),
            }
        }
        if let Ok(patch) = Patch::parse(&lines.join("\n"))
            && let Ok(changes) = apply(&patch, &tree())
        {
            applied += 1;
            check_changes(&patch, &changes);
        }
    }
    assert!(100 < applied, "only {applied} of the damaged patches apply: the test is too rough");
}

#[test]
fn bytes_changed_at_random() {
    let mut dice = Dice::new(2);
    for _ in 0..20_000 {
        let mut text: Vec<char> = PATCH.chars().collect();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(text.len() as u64) as usize;
            text[at] = ['*', '@', '+', '-', ' ', '\n', '\r', '\t', '\u{20ac}', 'x']
                [dice.roll(10) as usize];
        }
        if let Ok(patch) = Patch::parse(&text.into_iter().collect::<String>())
            && let Ok(changes) = apply(&patch, &tree())
        {
            check_changes(&patch, &changes);
        }
    }
}

/// Lines that no hunk removes are still there, in order, byte by byte.
fn check_changes(patch: &Patch, changes: &[Change]) {
    use apply_patch::{Line, Operation};
    let removed: Vec<String> = patch
        .operations
        .iter()
        .flat_map(|operation| match operation {
            Operation::Update { hunks, path: _, moved_to: _ } => hunks.as_slice(),
            Operation::Add { path: _, lines: _ } | Operation::Delete { path: _ } => &[],
        })
        .flat_map(|hunk| &hunk.lines)
        .filter_map(|line| match line {
            Line::Remove(text) => Some(text.trim().to_owned()),
            Line::Keep(_) | Line::Add(_) => None,
        })
        .collect();
    for change in changes {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { continue };
        // Deleted and added again: nothing need be left of it.
        let replaced = patch.operations.iter().any(|operation| match operation {
            Operation::Delete { path } => *path == change.path,
            Operation::Add { .. } | Operation::Update { .. } => false,
        });
        if replaced {
            continue;
        }
        let mut rest = after.lines();
        for line in before.lines().filter(|line| !removed.contains(&line.trim().to_owned())) {
            assert!(rest.any(|it| it == line), "{line:?} is lost:\n{patch:?}\n{after}");
        }
    }
}
