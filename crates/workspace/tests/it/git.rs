//! Looking at a repository runs nothing of it.

use workspace::{Commit, CommittedFile, CommittedKind, Git, GitCommand, Status, StatusKind};

use super::*;

fn output(root: &Path, command: &GitCommand) -> String {
    let output = Command::new(&command.argv[0])
        .args(&command.argv[1..])
        .env_clear()
        .envs(command.env.iter().cloned())
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_git_says() {
    let repository = repository(&[("a.txt", "one\ntwo\n"), ("gone", "")]);
    let root = repository.path();
    put(root, "a.txt", "one\n2\n");
    put(root, "staged", "");
    git(root, &["add", "staged"]);
    put(root, "new", "");
    std::fs::remove_file(root.join("gone")).unwrap();
    let git = Git::open(root).unwrap();
    let log = output(root, &git.log(5));
    let [commit] = Commit::parse_all(&log).try_into().unwrap();
    let told = (commit.date.as_str(), commit.author.as_str(), commit.subject.as_str());
    assert_eq!(told, ("2026-01-02", "Ann", "First"));
    let added = |path: &str| CommittedFile { kind: CommittedKind::Added, path: path.to_owned() };
    assert_eq!(commit.files, [added("a.txt"), added("gone")]);
    let diff = output(root, &git.diff());
    assert!(diff.contains("-two\n+2\n") && diff.contains("b/staged"), "{diff}");
    assert!(!diff.contains("b/new"));
    let status = Status::parse(&output(root, &git.status()));
    let seen: Vec<(StatusKind, &str)> =
        status.entries.iter().map(|entry| (entry.kind, entry.path.as_str())).collect();
    assert_eq!(
        seen,
        [
            (StatusKind::Changed, "a.txt"),
            (StatusKind::Deleted, "gone"),
            (StatusKind::Added, "staged"),
            (StatusKind::Untracked, "new"),
        ]
    );
    let last = output(root, &git.last_commit());
    assert!(last.contains(" by Ann on 2026-01-02: First\n") && last.contains("+one\n"), "{last}");
}

#[test]
fn a_repository_without_commits() {
    let repository = directory(&[("a", "x\n")]);
    let root = repository.path();
    git(root, &["init", "-q"]);
    git(root, &["add", "a"]);
    let git = Git::open(root).unwrap();
    assert!(!git.has_commits());
    assert_eq!(git.branch().as_deref(), Some("main"));
    assert!(output(root, &git.diff()).contains("+x"));
    assert!(Git::open(directory(&[]).path()).is_none());
}

/// Whatever the repository's configuration names, it is not run by a look.
#[test]
fn nothing_of_the_repository_runs() {
    let repository =
        repository(&[("a.txt", "one\n"), (".gitattributes", "*.txt filter=x=y diff=d\n")]);
    let root = repository.path();
    let marker = root.join("marker");
    let trap = root.join("trap.sh");
    let script = format!("#!/bin/sh\ntouch '{}'\ncat\n", marker.display());
    put(root, "trap.sh", &script);
    assert!(Command::new("chmod").arg("+x").arg(&trap).status().unwrap().success());
    let trap = trap.to_str().unwrap();
    for hook in ["post-index-change", "pre-commit", "fsmonitor-watchman"] {
        put(root, &format!(".git/hooks/{hook}"), &script);
        assert!(
            Command::new("chmod")
                .arg("+x")
                .arg(root.join(".git/hooks").join(hook))
                .status()
                .unwrap()
                .success()
        );
    }
    for (key, value) in [
        ("core.fsmonitor", trap),
        ("core.pager", trap),
        ("core.hooksPath", ".git/hooks"),
        ("filter.x=y.clean", trap),
        ("filter.x=y.smudge", trap),
        ("filter.x=y.process", trap),
        ("filter.x=y.required", "true"),
        ("diff.external", trap),
        ("diff.d.command", trap),
        ("diff.d.textconv", trap),
        ("gpg.program", trap),
        ("log.showSignature", "true"),
        ("core.sshCommand", trap),
        ("alias.status", &format!("!{trap}")),
    ] {
        put_config(root, key, value);
    }
    put(root, "a.txt", "two\n");
    // Armed: an ordinary git trips over it.
    Command::new("git").args(["status"]).current_dir(root).output().unwrap();
    assert!(marker.exists(), "the trap does not work");
    std::fs::remove_file(&marker).unwrap();
    let git = Git::open(root).unwrap();
    for command in [git.status(), git.diff(), git.log(3), git.last_commit()] {
        // Touched, so that the index cannot answer.
        put(root, "a.txt", "three\n");
        output(root, &command);
        assert!(!marker.exists(), "{command:?}");
    }
    workspace::repository_facts(root).unwrap();
    assert!(!marker.exists());
}

/// A submodule is a repository of its own, with filters of its own names.
#[test]
fn nothing_of_a_submodule_runs() {
    let repository = repository(&[("a.txt", "one\n")]);
    let root = repository.path();
    let sub = root.join("sub");
    put(&sub, "b.txt", "one\n");
    put(&sub, ".gitattributes", "*.txt filter=inner\n");
    git(&sub, &["init", "-q"]);
    git(&sub, &["add", "-A"]);
    git(&sub, &["commit", "-q", "-m", "Inner"]);
    put(root, ".gitmodules", "[submodule \"sub\"]\n\tpath = sub\n\turl = ./sub\n\tignore = none\n");
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "-m", "Outer"]);
    put_config(root, "submodule.sub.ignore", "none");
    put_config(root, "diff.submodule", "diff");
    let marker = root.join("marker");
    put_config(&sub, "filter.inner.clean", &format!("touch '{}'; cat", marker.display()));
    put(&sub, "b.txt", "two\n");
    // Armed: an ordinary git trips over it.
    Command::new("git").args(["status"]).current_dir(root).output().unwrap();
    assert!(marker.exists(), "the trap does not work");
    std::fs::remove_file(&marker).unwrap();
    let git = Git::open(root).unwrap();
    for command in [git.status(), git.diff(), git.log(3), git.last_commit()] {
        put(&sub, "b.txt", "three\n");
        output(root, &command);
        assert!(!marker.exists(), "{command:?}");
    }
    workspace::repository_facts(root).unwrap();
    assert!(!marker.exists());
}

fn put_config(root: &Path, key: &str, value: &str) {
    let status =
        Command::new("git").args(["config", key, value]).current_dir(root).status().unwrap();
    assert!(status.success());
}
