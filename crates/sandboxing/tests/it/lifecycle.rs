//! How commands end, and that nothing is left of them.

use super::*;

/// Long enough for a shell to begin on a busy machine.
const LIMIT: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn exit_codes_and_signals_are_told() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    let end = async |text: &str| {
        finish(spawner.run(script(text, directory.path(), &[])).await.unwrap()).await.1
    };
    assert_eq!(end("exit 0").await, SUCCESS);
    assert_eq!(end("exit 42").await, exited(42));
    let killed = Exit { ending: Ending::Exited, code: None, signal: Some(9) };
    assert_eq!(end("kill -9 $$").await, killed);
}

#[tokio::test]
async fn the_environment_is_what_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        argv: vec!["/usr/bin/env".into()],
        env: vec![("A".into(), "1 2".into())],
        ..script("", directory.path(), &[])
    };
    assert_eq!(run(command).await, ("A=1 2\n".to_owned(), SUCCESS));
}

#[tokio::test]
async fn a_kill_reaches_daemons_of_grandchildren() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    // A child in the group, and a daemon: its own session, dead parents, deaf to TERM.
    let tree = "sleep 1000 & echo $!
                (setsid bash -c 'trap \"\" TERM; echo $BASHPID; while :; do sleep 1; done' &)
                sleep 1000";
    let mut running = spawner.run(script(tree, directory.path(), &[])).await.unwrap();
    let pids = read_lines(&mut running, 2).await;
    running.kill();
    let (_, exit) = finish(running).await;
    assert_eq!(exit.ending, Ending::Killed);
    for pid in pids.lines() {
        // The end was told after all of them were dead: no waiting.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        assert!(stat.is_err(), "{pid} lives: {stat:?}");
    }
}

#[tokio::test]
async fn dropping_kills() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    let mut running =
        spawner.run(script("sleep 1000 & echo $!; wait", directory.path(), &[])).await.unwrap();
    let pid = read_lines(&mut running, 1).await;
    drop(running);
    gone(&pid);
}

#[tokio::test]
async fn the_time_limit_ends_even_what_ignores_it() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        time_limit: LIMIT,
        ..script("trap '' TERM; echo begun; while :; do sleep 0.1; done", directory.path(), &[])
    };
    let (output, exit) = run(command).await;
    assert_eq!(output, "begun\n");
    assert_eq!(exit, Exit { ending: Ending::TimedOut, code: None, signal: Some(9) });
}

/// A watcher that cannot look has not seen that nothing is there. A confined command cannot take
/// its descriptors away; this one is not confined.
#[tokio::test]
async fn a_blinded_watcher_still_kills() {
    let directory = tempfile::tempdir().unwrap();
    let blind = |then: &str| Command {
        confinement: Confinement::NONE,
        time_limit: LIMIT,
        ..script(
            &format!("trap '' TERM; prlimit --nofile=3:3 --pid $PPID; echo $$; {then}"),
            directory.path(),
            &[],
        )
    };
    let (output, exit) = run(blind("while :; do sleep 0.1; done")).await;
    assert_eq!(exit, Exit { ending: Ending::TimedOut, code: None, signal: Some(9) });
    assert!(std::fs::metadata(format!("/proc/{}", output.trim())).is_err());
    let (output, exit) = run(blind("sleep 1000 & echo $!; exit 3")).await;
    assert_eq!(exit, exited(3));
    for pid in output.lines() {
        gone(pid);
    }
}

#[tokio::test]
async fn a_polite_command_may_clean_up_when_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        time_limit: LIMIT,
        ..script("trap 'echo cleaned; exit 7' TERM; sleep 1000 & wait", directory.path(), &[])
    };
    let (output, exit) = run(command).await;
    assert_eq!(output, "cleaned\n");
    assert_eq!(exit, Exit { ending: Ending::TimedOut, code: Some(7), signal: None });
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_ends_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (output, exit) =
        run(script("setsid sleep 1000 & echo $!; exit 3", directory.path(), &[])).await;
    assert_eq!(exit, exited(3));
    assert!(std::fs::metadata(format!("/proc/{}", output.trim())).is_err());
}

#[tokio::test]
async fn many_commands_run_at_once() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    // Each waits for the others' files: none of them ends unless all of them run.
    let mut commands = Vec::new();
    for number in 0..8 {
        let text = format!(
            "touch {number}; until [ $(ls | wc -l) = 8 ]; do sleep 0.01; done; echo {number}"
        );
        let command = script(&text, directory.path(), &[directory.path()]);
        commands.push(spawner.run(command).await.unwrap());
    }
    for (number, running) in commands.into_iter().enumerate() {
        let (output, exit) = finish(running).await;
        assert_eq!((String::from_utf8(output).unwrap(), exit), (format!("{number}\n"), SUCCESS));
    }
}

#[tokio::test]
async fn a_dead_spawner_is_started_again_and_commands_go_on() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    let mut running = spawner
        .run(script(
            "echo begun; until [ -e go ]; do sleep 0.01; done; echo on",
            directory.path(),
            &[],
        ))
        .await
        .unwrap();
    read_lines(&mut running, 1).await;
    let first = spawner.id().unwrap();
    kill(&first.to_string());
    gone(&first.to_string());
    let (output, exit) =
        finish(spawner.run(script("echo again", directory.path(), &[])).await.unwrap()).await;
    assert_eq!((output.as_slice(), exit), (b"again\n".as_slice(), SUCCESS));
    assert_ne!(spawner.id().unwrap(), first);
    std::fs::write(directory.path().join("go"), "").unwrap();
    let (output, exit) = finish(running).await;
    assert_eq!((output.as_slice(), exit), (b"on\n".as_slice(), SUCCESS));
}

/// The engine runs from a file that its commands may write: a build of Duet itself, for instance.
#[test]
fn a_replaced_executable_is_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let exe = directory.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let output = std::process::Command::new(&exe)
        .args(["--exact", "lifecycle::replaced_process", "--nocapture"])
        .env("REPLACED_DIRECTORY", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the same executable"), "{said}");
    assert!(!directory.path().join("trapped").exists());
}

#[tokio::test]
async fn replaced_process() {
    let Some(directory) = std::env::var_os("REPLACED_DIRECTORY") else { return };
    let directory = Path::new(&directory);
    let spawner = spawner();
    let replace = "printf '#!/bin/sh\\ntouch %s/trapped\\n' $PWD > new; chmod +x new; mv new it";
    let (_, exit) =
        finish(spawner.run(script(replace, directory, &[directory])).await.unwrap()).await;
    assert_eq!(exit, SUCCESS);
    let first = spawner.id().unwrap().to_string();
    kill(&first);
    gone(&first);
    let (output, exit) =
        finish(spawner.run(script("echo again", directory, &[])).await.unwrap()).await;
    assert_eq!((output.as_slice(), exit), (b"again\n".as_slice(), SUCCESS));
    println!("the same executable");
}

#[tokio::test]
async fn a_dead_watcher_takes_its_command_along() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    let mut running = spawner
        .run(script("setsid sleep 1000 & echo $PPID $!; wait", directory.path(), &[]))
        .await
        .unwrap();
    let output = read_lines(&mut running, 1).await;
    let (watcher, orphan) = output.trim().split_once(' ').unwrap();
    kill(watcher);
    let (_, exit) = finish(running).await;
    assert_eq!(exit.ending, Ending::Lost);
    gone(orphan);
}

#[tokio::test]
async fn the_engines_death_ends_everything() {
    // The engine is another process of this binary, so that it can die.
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    assert!(std::process::Command::new("mkfifo").arg(&pids).status().unwrap().success());
    let mut engine = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::engine_process", "--nocapture"])
        .env("ENGINE_DIRECTORY", directory.path())
        .spawn()
        .unwrap();
    // Until the command has written them.
    let pids = std::fs::read_to_string(&pids).unwrap();
    engine.kill().unwrap();
    engine.wait().unwrap();
    for pid in pids.split_whitespace() {
        gone(pid);
    }
}

#[tokio::test]
async fn engine_process() {
    let Some(directory) = std::env::var_os("ENGINE_DIRECTORY") else { return };
    let directory = Path::new(&directory);
    let spawner = spawner();
    let tree = "setsid sleep 1000 & echo $PPID $$ $! > pids; wait";
    let running = spawner.run(script(tree, directory, &[directory])).await.unwrap();
    let forever = finish(running).await;
    panic!("the command ended: {forever:?}");
}
