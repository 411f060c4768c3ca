use std::fs;
use std::path::Path;
use std::time::Duration;

use headless::{
    ExecArgs, Exit, Format, HeadlessError, Server, Signal, ThreadArgs, exec as run_exec,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::peer::{Page, Peer, console};

struct Ran {
    exit: Result<Exit, HeadlessError>,
    out: String,
    progress: String,
}

/// Runs `exec` while `play` is the server; `play` may send signals.
async fn run<F>(format: Format, play: impl FnOnce(Peer, mpsc::Sender<Signal>) -> F) -> Ran
where
    F: Future<Output = Peer>,
{
    let (mut peer, connection) = Peer::start();
    let (console, out, progress): (_, Page, Page) = console();
    let (signals, mut received) = mpsc::channel(2);
    let args = ExecArgs {
        thread: ThreadArgs { cwd: Some("/w".into()), ..ThreadArgs::default() },
        prompt: "run the tests".into(),
        piped: None,
        format,
        answer_file: None,
        version: "0.0.0".into(),
    };
    let client = async {
        let server =
            Server::greet(connection, "duet-exec", "0.0.0", Default::default()).await.unwrap();
        run_exec(server, args, console, &mut received).await
    };
    let server = async {
        peer.initialize().await;
        play(peer, signals).await
    };
    let (exit, _peer) = tokio::join!(client, server);
    Ran { exit, out: out.text(), progress: progress.text() }
}

fn command(status: &str, output: Value, exit: Value) -> Value {
    json!({
        "type": "commandExecution", "id": "c", "command": "cargo test", "cwd": "/w",
        "status": status, "commandActions": [], "aggregatedOutput": output, "exitCode": exit,
        "durationMs": 12,
    })
}

fn message(id: &str, text: &str) -> Value {
    json!({ "type": "agentMessage", "id": id, "text": text })
}

/// A turn with a message on the way, a command, and the answer.
async fn a_usual_turn(mut peer: Peer) -> Peer {
    peer.start_thread().await;
    peer.start_turn().await;
    let prompt = json!({ "type": "userMessage", "id": "p", "content": [] });
    peer.item_completed(prompt).await;
    peer.item_completed(message("m1", "I will run them.")).await;
    peer.item_started(command("inProgress", Value::Null, Value::Null)).await;
    peer.item_completed(command("failed", json!("1 failed\n"), json!(101))).await;
    peer.item_started(message("m2", "")).await;
    peer.tell("item/agentMessage/delta", json!({ "turnId": "u", "itemId": "m2", "delta": "One" }))
        .await;
    peer.item_completed(message("m2", "One test fails.\n")).await;
    let tokens = json!({
        "totalTokens": 30, "inputTokens": 20, "cachedInputTokens": 5, "outputTokens": 10,
        "reasoningOutputTokens": 0,
    });
    let usage = json!({ "total": tokens, "last": tokens, "modelContextWindow": null });
    peer.tell("thread/tokenUsage/updated", json!({ "turnId": "u", "tokenUsage": usage })).await;
    peer.turn_completed("completed", Value::Null).await;
    peer
}

#[tokio::test]
async fn the_answer_is_alone_on_standard_output() {
    let ran = run(Format::People, |peer, _signals| a_usual_turn(peer)).await;
    assert_eq!(ran.exit.unwrap(), Exit::Done);
    assert_eq!(ran.out, "One test fails.\n");
    let expected = "\
Duet v0.0.0
--------
workdir: /w
model: m
provider: mock
approval: untrusted
sandbox: workspace-write
session id: 01a20a6b-7bc3-7742-aa76-c1d30dfaa5a9
--------
user
run the tests
agent
I will run them.
exec
cargo test in /w
 exited 101 in 12ms:
1 failed
tokens used
30
";
    assert_eq!(ran.progress, expected);
}

#[tokio::test]
async fn programs_get_one_event_per_line() {
    let ran = run(Format::Json, |peer, _signals| a_usual_turn(peer)).await;
    assert_eq!(ran.exit.unwrap(), Exit::Done);
    let expected = r#"{"type":"thread.started","thread_id":"01a20a6b-7bc3-7742-aa76-c1d30dfaa5a9"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"I will run them."}}
{"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"cargo test","aggregated_output":"","exit_code":null,"status":"in_progress"}}
{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"cargo test","aggregated_output":"1 failed\n","exit_code":101,"status":"failed"}}
{"type":"item.completed","item":{"id":"item_2","type":"agent_message","text":"One test fails.\n"}}
{"type":"turn.completed","usage":{"input_tokens":20,"cached_input_tokens":5,"output_tokens":10,"reasoning_output_tokens":0}}
"#;
    assert_eq!(ran.out, expected);
    assert_eq!(ran.progress, "");
}

fn file_change(status: &str, diff: &str, reason: Value) -> Value {
    json!({
        "type": "fileChange", "id": "p", "status": status, "reason": reason,
        "changes": [{ "path": "src/a.rs", "kind": { "type": "update", "move_path": null }, "diff": diff }],
    })
}

/// A turn with a change that was refused by its tool, and one that was made.
async fn two_changes(mut peer: Peer, diff: &str) -> Peer {
    peer.start_thread().await;
    peer.start_turn().await;
    let reason = json!("Not changed. The new text has a syntax error: line 1");
    peer.item_completed(file_change("failed", "", reason)).await;
    peer.item_completed(file_change("completed", diff, Value::Null)).await;
    peer.item_completed(message("m", "Done.")).await;
    peer.turn_completed("completed", Value::Null).await;
    peer
}

#[tokio::test]
async fn a_change_is_shown_and_a_failed_one_says_why() {
    let diff = "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1,3 @@\n one\n-two\n+2\n+3\n";
    let ran = run(Format::People, |peer, _signals| two_changes(peer, diff)).await;
    assert_eq!(ran.exit.unwrap(), Exit::Done);
    let (_, shown) = ran.progress.split_once("run the tests\n").unwrap();
    let expected = "\
patch
M src/a.rs
 failed:
Not changed. The new text has a syntax error: line 1
patch
M src/a.rs (+2 -1)
@@ -1,2 +1,3 @@
 one
-two
+2
+3
files changed: 1 (1 failed)
";
    assert_eq!(shown, expected);
    assert_eq!(ran.out, "Done.\n");

    let ran = run(Format::Json, |peer, _signals| two_changes(peer, diff)).await;
    let items: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["item"].clone())
        .filter(|item| item["type"] == "file_change")
        .collect();
    let failed = json!({
        "id": "item_0", "type": "file_change", "status": "failed",
        "changes": [{ "path": "src/a.rs", "kind": "update" }],
        "error": { "message": "Not changed. The new text has a syntax error: line 1" },
    });
    let made = json!({
        "id": "item_0", "type": "file_change", "status": "completed",
        "changes": [{ "path": "src/a.rs", "kind": "update", "diff": diff }],
    });
    assert_eq!(items, [failed, made]);
}

#[tokio::test]
async fn of_a_long_change_its_beginning_is_shown() {
    let added: String = (0..60).map(|n| format!("+{n}\n")).collect();
    let diff = format!("--- /dev/null\n+++ b/src/a.rs\n@@ -0,0 +1,60 @@\n{added}");
    let ran = run(Format::People, |peer, _signals| two_changes(peer, &diff)).await;
    assert!(ran.progress.contains("M src/a.rs (+60 -0)\n"), "{}", ran.progress);
    assert!(ran.progress.contains("\n+38\n... 21 more lines\nfiles"), "{}", ran.progress);
}

/// Reading is no act: what was asked for was not done.
#[tokio::test]
async fn a_turn_that_only_read_where_its_edit_was_refused_has_done_nothing() {
    let ran = run(Format::People, |mut peer, _signals| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        let read = json!({
            "type": "dynamicToolCall", "id": "r", "namespace": null, "tool": "read_file",
            "arguments": {}, "status": "completed", "success": true, "durationMs": null,
            "contentItems": [{ "type": "inputText", "text": "one" }],
        });
        peer.item_completed(read).await;
        peer.item_completed(tool_failed(Value::Null)).await;
        peer.item_completed(message("m", "It is read-only.")).await;
        peer.turn_completed("completed", Value::Null).await;
        peer
    })
    .await;
    assert_eq!(ran.exit.unwrap(), Exit::NothingDone);
    assert!(ran.progress.ends_with("\nacts refused: 1\n"), "{}", ran.progress);
}

/// Not all of it is shown again.
#[tokio::test]
async fn what_is_piped_in_is_no_words_of_the_user() {
    let (mut peer, connection) = Peer::start();
    let (console, _out, progress) = console();
    let (_signals, mut received) = mpsc::channel(1);
    let args = ExecArgs {
        thread: ThreadArgs::default(),
        prompt: "what is this?\n".into(),
        piped: Some("a\nb\n".into()),
        format: Format::People,
        answer_file: None,
        version: "0.0.0".into(),
    };
    let client = async {
        let server =
            Server::greet(connection, "duet-exec", "0.0.0", Default::default()).await.unwrap();
        run_exec(server, args, console, &mut received).await
    };
    let server = async {
        peer.initialize().await;
        peer.start_thread().await;
        let params = peer.start_turn().await;
        peer.turn_completed("completed", Value::Null).await;
        (peer, params)
    };
    let (exit, (_peer, params)) = tokio::join!(client, server);
    assert_eq!(exit.unwrap(), Exit::Done);
    assert_eq!(params["input"], json!([{ "type": "text", "text": "what is this?\n" }]));
    assert_eq!(params["material"], "a\nb\n");
    let shown = progress.text();
    assert!(shown.ends_with("what is this?\nand 2 lines that were piped in\n"), "{shown}");
}

#[tokio::test]
async fn the_thread_is_as_configured_and_nobody_is_asked() {
    run(Format::People, |mut peer, _signals| async move {
        let params = peer.start_thread().await;
        assert_eq!(params, json!({ "cwd": "/w", "ephemeral": false }));
        let params = peer.start_turn().await;
        assert_eq!(params["input"], json!([{ "type": "text", "text": "run the tests" }]));
        peer.send(json!({ "id": 0, "method": "item/tool/requestUserInput", "params": {} })).await;
        peer.turn_completed("completed", Value::Null).await;
        peer
    })
    .await;
}

#[tokio::test]
async fn a_failed_turn_says_why() {
    let error = json!({ "message": "the key of provider `mock` was refused: set MOCK_KEY" });
    for (format, out, progress) in [
        (Format::People, "", "error: the key of provider `mock` was refused: set MOCK_KEY\n"),
        (
            Format::Json,
            "{\"type\":\"turn.failed\",\"error\":{\"message\":\"the key of provider `mock` was refused: set MOCK_KEY\"}}\n",
            "",
        ),
    ] {
        let error = error.clone();
        let ran = run(format, |mut peer, _signals| async move {
            peer.start_thread().await;
            peer.start_turn().await;
            peer.turn_completed("failed", error).await;
            peer
        })
        .await;
        assert_eq!(ran.exit.unwrap(), Exit::Failed);
        assert!(ran.out.ends_with(out), "{}", ran.out);
        assert!(ran.progress.ends_with(progress), "{}", ran.progress);
    }
}

/// A typed tool that failed, or was refused: then it has no `success`.
fn tool_failed(success: Value) -> Value {
    json!({
        "type": "dynamicToolCall", "id": "c", "namespace": null, "tool": "shell",
        "arguments": {}, "status": "failed", "success": success, "durationMs": null,
        "contentItems": [{ "type": "inputText", "text": "no sandbox here" }],
    })
}

#[tokio::test]
async fn programs_can_tell_a_refusal_from_a_failure() {
    for (success, status) in [(Value::Null, "declined"), (json!(false), "failed")] {
        let ran = run(Format::Json, |mut peer, _signals| async move {
            peer.start_thread().await;
            peer.start_turn().await;
            peer.item_completed(tool_failed(success)).await;
            peer.turn_completed("completed", Value::Null).await;
            peer
        })
        .await;
        let lines: Vec<Value> =
            ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let item = json!({
            "id": "item_0", "type": "mcp_tool_call", "server": "duet", "tool": "shell",
            "arguments": {}, "result": null, "error": { "message": "no sandbox here" },
            "status": status,
        });
        assert!(lines.contains(&json!({ "type": "item.completed", "item": item })), "{}", ran.out);
    }
}

#[tokio::test]
async fn a_turn_whose_every_act_was_refused_has_done_nothing() {
    let ran = run(Format::People, |mut peer, _signals| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        peer.item_completed(tool_failed(Value::Null)).await;
        peer.item_completed(message("m", "I could not run anything.")).await;
        peer.turn_completed("completed", Value::Null).await;
        peer
    })
    .await;
    assert_eq!(ran.exit.unwrap(), Exit::NothingDone);
    assert_eq!(ran.out, "I could not run anything.\n");
    assert!(ran.progress.contains(" refused:\nno sandbox here\n"), "{}", ran.progress);
}

/// A command without an exit code came to no end of its own.
#[tokio::test]
async fn an_answer_after_a_command_that_was_cut_short_is_a_failure() {
    let why = "the last command of the agent came to no end of its own: it took too long";
    for (format, out, progress) in [
        (Format::People, "It hangs.\n".to_owned(), format!("error: {why}\n")),
        (
            Format::Json,
            format!(
                "{{\"type\":\"error\",\"message\":\"{why}\"}}\n{{\"type\":\"turn.completed\",\
                 \"usage\":{{\"input_tokens\":0,\"cached_input_tokens\":0,\"output_tokens\":0,\
                 \"reasoning_output_tokens\":0}}}}\n"
            ),
            String::new(),
        ),
    ] {
        let ran = run(format, |mut peer, _signals| async move {
            peer.start_thread().await;
            peer.start_turn().await;
            let output = json!("begun\nit took too long");
            peer.item_completed(command("failed", output, Value::Null)).await;
            peer.item_completed(message("m", "It hangs.")).await;
            peer.turn_completed("completed", Value::Null).await;
            peer
        })
        .await;
        assert_eq!(ran.exit.unwrap(), Exit::Failed);
        assert!(ran.out.ends_with(&out), "{}", ran.out);
        assert!(ran.progress.ends_with(&progress), "{}", ran.progress);
    }
}

#[tokio::test]
async fn a_signal_interrupts_the_turn_and_ends_cleanly() {
    for (signal, exit) in
        [(Signal::Interrupt, Exit::Interrupted), (Signal::Terminate, Exit::Terminated)]
    {
        let ran = run(Format::Json, |mut peer, signals| async move {
            peer.start_thread().await;
            peer.start_turn().await;
            signals.send(signal).await.unwrap();
            let params = peer.expect("turn/interrupt", json!({})).await;
            assert_eq!(params["turnId"], "u");
            peer.turn_completed("interrupted", Value::Null).await;
            peer
        })
        .await;
        assert_eq!(ran.exit.unwrap(), exit);
        let last = "{\"type\":\"turn.failed\",\"error\":{\"message\":\"interrupted\"}}\n";
        assert!(ran.out.ends_with(last), "{}", ran.out);
    }
}

/// What was said on the way is no answer.
#[tokio::test]
async fn who_interrupts_is_told_so_and_gets_no_answer() {
    let ran = run(Format::People, |mut peer, signals| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        peer.item_completed(message("m1", "I will run them.")).await;
        signals.send(Signal::Interrupt).await.unwrap();
        peer.expect("turn/interrupt", json!({})).await;
        peer.turn_completed("interrupted", Value::Null).await;
        peer
    })
    .await;
    assert_eq!(ran.exit.unwrap(), Exit::Interrupted);
    assert_eq!(ran.out, "");
    assert!(ran.progress.ends_with("agent\nI will run them.\ninterrupted\n"), "{}", ran.progress);
}

/// Time stands still unless everybody waits.
#[tokio::test(start_paused = true)]
async fn a_screen_shows_what_goes_on() {
    let (mut peer, connection) = Peer::start();
    let (console, out, progress) = console();
    let (_signals, mut received) = mpsc::channel(1);
    let args = ExecArgs {
        thread: ThreadArgs::default(),
        prompt: "run the tests".into(),
        piped: None,
        format: Format::People,
        answer_file: None,
        version: "0.0.0".into(),
    };
    let client = async {
        let server =
            Server::greet(connection, "duet-exec", "0.0.0", Default::default()).await.unwrap();
        run_exec(server, args, console.on_screen(60), &mut received).await
    };
    let server = async {
        peer.initialize().await;
        peer.start_thread().await;
        peer.start_turn().await;
        sleep(Duration::from_millis(2_500)).await;
        peer.item_started(command("inProgress", Value::Null, Value::Null)).await;
        sleep(Duration::from_millis(1_000)).await;
        peer.item_completed(command("failed", json!("1 failed\n"), json!(101))).await;
        peer.item_completed(message("m", "One test fails.")).await;
        peer.turn_completed("completed", Value::Null).await;
        peer
    };
    let (exit, _peer) = tokio::join!(client, server);
    assert_eq!(exit.unwrap(), Exit::Done);
    assert_eq!(out.text(), "One test fails.\n");
    let text = progress.text();
    let (_, shown) = text.split_once("run the tests\n").unwrap();
    assert!(shown.contains("\rthinking, 2 s"), "{shown:?}");
    assert!(shown.contains("\rrunning `cargo test`, "), "{shown:?}");
    // As a terminal shows it in the end.
    let seen: Vec<&str> =
        shown.lines().map(|line| line.rsplit('\r').next().unwrap_or_default()).collect();
    assert_eq!(seen, ["exec", "cargo test in /w", " exited 101 in 12ms:", "1 failed"]);
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let ran = run(Format::People, |mut peer, signals| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        signals.send(Signal::Interrupt).await.unwrap();
        peer.expect("turn/interrupt", json!({})).await;
        signals.send(Signal::Interrupt).await.unwrap();
        peer
    })
    .await;
    assert_eq!(ran.exit.unwrap(), Exit::Interrupted);
}

#[tokio::test]
async fn an_engine_that_dies_is_an_error() {
    let ran = run(Format::People, |mut peer, _signals| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        drop(peer);
        Peer::start().0
    })
    .await;
    assert!(matches!(ran.exit, Err(HeadlessError::ServerGone)));
}

/// Runs `exec` with `path` as the answer's file.
async fn run_into<F>(path: &Path, play: impl FnOnce(Peer) -> F) -> Result<Exit, HeadlessError>
where
    F: Future<Output = Peer>,
{
    let (mut peer, connection) = Peer::start();
    let (console, _, _) = console();
    let (_signals, mut received) = mpsc::channel(1);
    let args = ExecArgs {
        thread: ThreadArgs::default(),
        prompt: "hi".into(),
        piped: None,
        format: Format::People,
        answer_file: Some(path.to_owned()),
        version: "0.0.0".into(),
    };
    let client = async {
        let server =
            Server::greet(connection, "duet-exec", "0.0.0", Default::default()).await.unwrap();
        run_exec(server, args, console, &mut received).await
    };
    let server = async {
        peer.initialize().await;
        play(peer).await
    };
    let (exit, _peer) = tokio::join!(client, server);
    exit
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[tokio::test]
async fn the_answer_goes_to_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("answer.txt");
    fs::write(&path, "an old answer, and longer").unwrap();
    let exit = run_into(&path, a_usual_turn).await;
    assert_eq!(exit.unwrap(), Exit::Done);
    assert_eq!(fs::read_to_string(path).unwrap(), "One test fails.\n");
    assert_eq!(names(dir.path()), ["answer.txt"]);
}

#[tokio::test]
async fn a_turn_that_fails_leaves_the_old_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("answer.txt");
    fs::write(&path, "an old answer").unwrap();
    let exit = run_into(&path, |mut peer| async move {
        peer.start_thread().await;
        peer.start_turn().await;
        peer.item_completed(message("m", "I will run them.")).await;
        peer.turn_completed("failed", json!({ "message": "the network is down" })).await;
        peer
    });
    assert_eq!(exit.await.unwrap(), Exit::Failed);
    assert_eq!(fs::read_to_string(path).unwrap(), "an old answer");
    assert_eq!(names(dir.path()), ["answer.txt"]);
}

/// Not after all the work.
#[tokio::test]
async fn a_place_that_cannot_be_written_is_named_before_anything_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none/answer.txt");
    let error = run_into(&path, |peer| async { peer }).await.unwrap_err();
    let said = format!("cannot write the answer to {}: ", path.display());
    assert!(error.to_string().starts_with(&said), "{error}");
}
