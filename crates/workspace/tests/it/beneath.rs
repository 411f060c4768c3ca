//! Nothing leaves the root.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use workspace::{PathError, Root};

use super::*;

const LIMIT: u64 = 1000;

#[test]
fn paths_are_understood_as_people_write_them() {
    let directory = directory(&[("src/a.rs", "")]);
    let root = Root::open(directory.path()).unwrap();
    let absolute = root.path().join("src/a.rs");
    for given in
        ["src/a.rs", "./src/a.rs", "src//a.rs", "src/../src/a.rs", absolute.to_str().unwrap()]
    {
        assert_eq!(root.relative(given).unwrap(), "src/a.rs", "{given}");
        assert!(root.exists(given).unwrap(), "{given}");
    }
    assert_eq!(root.relative(".").unwrap(), "");
    for given in ["..", "../x", "src/../../x", "/etc/passwd", "/", "~/../../x/../.."] {
        let refused = root.relative(given);
        assert!(matches!(refused, Err(PathError::Outside(_))), "{given}: {refused:?}");
    }
}

/// `/home` may be a link, and people write what they see.
#[test]
fn a_root_behind_a_link_is_known_by_both_names() {
    let real = directory(&[("src/a.rs", "text")]);
    let elsewhere = directory(&[("proj/src/a.rs", "other")]);
    let place = directory(&[]);
    let link = place.path().join("proj");
    symlink(real.path(), &link).unwrap();
    let facts = workspace::repository_facts(&link).unwrap();
    assert_eq!(facts.root, real.path().canonicalize().unwrap());
    for root in [Root::open(&link).unwrap(), Root::of(&facts).unwrap()] {
        for given in [link.join("src/a.rs"), facts.root.join("src/a.rs")] {
            assert_eq!(root.relative(given.to_str().unwrap()).unwrap(), "src/a.rs");
        }
        let beside = place.path().join("other/src/a.rs");
        let refused = root.relative(beside.to_str().unwrap());
        assert!(matches!(refused, Err(PathError::Outside(_))), "{refused:?}");
    }
    // The name opens nothing: whoever changes the link moves no workspace.
    std::fs::remove_file(&link).unwrap();
    symlink(elsewhere.path().join("proj"), &link).unwrap();
    let root = Root::of(&facts).unwrap();
    assert_eq!(root.read(link.join("src/a.rs").to_str().unwrap(), LIMIT).unwrap(), b"text");
}

#[test]
fn reading_says_what_is_wrong() {
    let directory = directory(&[("a", "text"), ("big", &"x".repeat(1001)), ("d/b", "")]);
    let root = Root::open(directory.path()).unwrap();
    assert_eq!(root.read("a", LIMIT).unwrap(), b"text");
    assert_eq!(root.read_start("big", 3).unwrap(), b"xxx");
    assert_eq!(root.read_start("a", LIMIT).unwrap(), b"text");
    let message = |path: &str| root.read(path, LIMIT).unwrap_err().to_string();
    assert_eq!(message("nothing"), "nothing does not exist");
    assert_eq!(message("a/b"), "a/b does not exist");
    assert_eq!(message("d"), "d is a directory");
    assert_eq!(message("."), ". is a directory");
    assert_eq!(message("big"), "big has 1001 bytes, more than the limit of 1000");
    assert_eq!(message("../x"), "../x is outside the workspace");
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(message("pipe"), "pipe is not an ordinary file");
    let start = root.read_start("pipe", LIMIT).unwrap_err().to_string();
    assert_eq!(start, "pipe is not an ordinary file");
    let missing = Root::open(&directory.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.ends_with("nowhere does not exist"), "{missing}");
}

#[test]
fn links_lead_out_of_nothing() {
    let outside = directory(&[("secret", "s"), ("d/x", "x")]);
    let inside = directory(&[("real", "r")]);
    let root = Root::open(inside.path()).unwrap();
    symlink(outside.path().join("secret"), inside.path().join("file")).unwrap();
    symlink(outside.path().join("d"), inside.path().join("dir")).unwrap();
    symlink("../", inside.path().join("up")).unwrap();
    symlink("real", inside.path().join("near")).unwrap();
    assert_eq!(root.read("near", LIMIT).unwrap(), b"r");
    for path in ["file", "dir/x", "up/x"] {
        let read = root.read(path, LIMIT);
        assert!(matches!(read, Err(PathError::Outside(_))), "{path}: {read:?}");
    }
    for path in ["dir/x", "dir/new", "up/new", "dir/deep/new"] {
        let written = root.write(path, b"y");
        assert!(matches!(written, Err(PathError::Link(_))), "{path}: {written:?}");
        assert!(root.remove(path).is_err());
    }
    for path in ["file", "near"] {
        assert!(matches!(root.write(path, b"y"), Err(PathError::Link(_))), "{path}");
        assert!(matches!(root.may_change(path), Err(PathError::Link(_))), "{path}");
        assert!(matches!(root.remove(path), Err(PathError::Link(_))), "{path}");
    }
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "s");
    assert_eq!(std::fs::read_to_string(outside.path().join("d/x")).unwrap(), "x");
    assert_eq!(std::fs::read_dir(outside.path().join("d")).unwrap().count(), 1);
}

#[test]
fn writes_replace_whole_files_and_keep_their_mode() {
    let directory = directory(&[("run.sh", "old")]);
    let path = directory.path().join("run.sh");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = std::fs::metadata(&path).unwrap().ino();
    let root = Root::open(directory.path()).unwrap();
    root.write("run.sh", b"new").unwrap();
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(after.mode() & 0o777, 0o755);
    assert_ne!(after.ino(), before, "a reader of the old file must not see half of the new one");
    // A file that was another before keeps that one's.
    let like = root.metadata("run.sh").unwrap();
    root.write_like("moved.sh", b"new", &like).unwrap();
    let moved = std::fs::metadata(directory.path().join("moved.sh")).unwrap();
    assert_eq!(moved.mode() & 0o777, 0o755);
    root.remove("moved.sh").unwrap();
    assert!(matches!(root.metadata("moved.sh"), Err(PathError::Missing(_))));
    root.may_change("deep/er/file").unwrap();
    root.write("deep/er/file", b"x").unwrap();
    assert_eq!(root.read("deep/er/file", LIMIT).unwrap(), b"x");
    root.remove("deep/er/file").unwrap();
    assert!(!root.exists("deep/er/file").unwrap());
    assert!(matches!(root.write("deep", b"x"), Err(PathError::Directory(_))));
    assert!(matches!(
        root.write("run.sh/x", b"x"),
        Err(PathError::Missing(_) | PathError::Io { .. })
    ));
    // No temporary files stay behind.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn what_git_and_duet_act_on_is_not_written() {
    let directory = repository(&[("a", "")]);
    let root = Root::open(directory.path()).unwrap();
    for path in [
        ".git/hooks/pre-commit",
        ".git/config",
        ".GIT/config",
        "sub/.git/config",
        ".duet/x",
        ".git",
    ] {
        assert!(matches!(root.write(path, b"x"), Err(PathError::Protected(_))), "{path}");
        assert!(matches!(root.may_change(path), Err(PathError::Protected(_))), "{path}");
        assert!(matches!(root.remove(path), Err(PathError::Protected(_))), "{path}");
    }
    // Nor by another name.
    symlink(".git", directory.path().join("cfg")).unwrap();
    symlink(".git/hooks", directory.path().join("hooks")).unwrap();
    for path in ["cfg/config", "cfg/hooks/new", "cfg/deep/er/new", "hooks/pre-commit"] {
        assert!(matches!(root.write(path, b"x"), Err(PathError::Link(_))), "{path}");
        assert!(matches!(root.may_change(path), Err(PathError::Link(_))), "{path}");
        assert!(matches!(root.remove(path), Err(PathError::Link(_))), "{path}");
    }
    assert!(!directory.path().join(".git/deep").exists());
    assert!(root.read("cfg/config", LIMIT).is_ok(), "reading follows links that stay inside");
    root.write(".gitignore", b"x").unwrap();
    root.write(".github/workflows/ci.yml", b"x").unwrap();
}
