//! Turns, from the client's words to the last event.

use agent_turn::UserInput;
use engine::{Refused, StartError};
use protocol::{
    CommandItem, EventBody, InputSource, ItemBody, ItemStatus, SandboxMode, TurnFailure, TurnId,
    TurnStatus,
};
use serde_json::json;
use testkit::{ModelReply, sse};

use crate::bench::{Bench, SECRET};

#[tokio::test]
async fn model_answers_and_what_it_says_streams() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("hello").await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().model(), "test-model");
    assert_eq!(call.request().header("authorization"), Some("Bearer test-key"));
    assert_eq!(call.request().messages("user"), ["hello"]);
    assert!(call.request().tool_names().contains(&"shell"));
    let mut reply = call.open_sse().await;
    reply.send(sse::created()).await;
    reply.send(sse::text_delta("Good ")).await;
    let delta = client
        .until(|event| match event {
            EventBody::AgentMessageDelta { turn: _, item: _, delta } => Some(delta.clone()),
            _other => None,
        })
        .await;
    assert_eq!(delta, "Good ");
    reply.send(sse::message("Good morning")).await;
    reply.send(sse::completed(10, 2)).await;
    reply.end().await;
    let item = client.until_item().await;
    assert_eq!(item.body, ItemBody::AgentMessage { text: "Good morning".to_owned() });
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
    let numbers: Vec<u64> = client.seen().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn tools_run_in_the_sandbox_and_their_output_goes_back() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("make a file").await;
    // Where the sandbox lets nobody write, wherever the repository is.
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let outside = elsewhere.path().join("outside.txt");
    let script = &format!("echo made > new.txt; echo out; echo x > {}", outside.display());
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": script })).await;
    let ItemBody::Command(CommandItem { command, status, exit_code, output, .. }) =
        client.until_tool().await
    else {
        panic!("not a command");
    };
    assert_eq!((&command, status), (script, ItemStatus::Failed));
    assert_eq!(exit_code, Some(1));
    assert!(output.starts_with("out\n"), "{output}");
    assert_eq!(std::fs::read(bench.repository.path().join("new.txt")).unwrap(), b"made\n");
    assert!(!outside.exists());
    let call = bench.model.expect_request().await;
    let told = call.request().tool_output("c1").unwrap().to_owned();
    assert!(told.contains("outside.txt"), "{told}");
    call.reply_message("The sandbox stops me there.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
}

#[tokio::test]
async fn variables_with_keys_do_not_reach_commands() {
    assert!(std::env::var_os(SECRET).is_some(), "run me by cargo");
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("look").await;
    let call = bench.model.expect_request().await;
    let script = format!("echo \"[${SECRET}]\"");
    call.reply_tool_call("c1", "shell", json!({ "command": script })).await;
    let ItemBody::Command(item) = client.until_tool().await else { panic!("not a command") };
    assert_eq!(item.output, "[]\n");
    bench.model.expect_request().await.reply_message("Nothing.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn what_may_not_run_is_refused_with_the_reason() {
    let mut bench = Bench::new();
    let mut settings = bench.settings();
    settings.approval_policy = protocol::ApprovalPolicy::Untrusted;
    let mut client = bench.client_with(settings);
    client.type_words("run it").await;
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": "true" })).await;
    let ItemBody::Tool(item) = client.until_tool().await else { panic!("not a tool") };
    assert_eq!(item.status, ItemStatus::Declined);
    let call = bench.model.expect_request().await;
    let told = call.request().tool_output("c1").unwrap().to_owned();
    assert!(told.contains("needs the user's approval"), "{told}");
    call.reply_message("I may not.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn read_only_threads_change_nothing() {
    let mut bench = Bench::new();
    let mut settings = bench.settings();
    settings.sandbox.mode = SandboxMode::ReadOnly;
    let mut client = bench.client_with(settings);
    client.type_words("write").await;
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": "cat hello.txt; echo x > hello.txt" }))
        .await;
    client.until_tool().await;
    assert_eq!(std::fs::read(bench.repository.path().join("hello.txt")).unwrap(), b"hello\n");
    bench.model.expect_request().await.reply_message("No.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn words_steer_the_running_turn() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("one").await;
    let call = bench.model.expect_request().await;
    let input = UserInput { text: "two".to_owned(), source: InputSource::Typed, material: None };
    let wrong = client.thread.steer(Some(TurnId::from("other")), input.clone()).await;
    assert!(matches!(wrong, Err(Refused::OtherTurn { .. })), "{wrong:?}");
    let steered = client.thread.steer(None, input).await.unwrap();
    call.reply_message("First.").await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().messages("user"), ["one", "two"]);
    call.reply_message("Both.").await;
    let completed = client
        .until(|event| match event {
            EventBody::TurnCompleted { turn, status: _ } => Some(turn.clone()),
            _other => None,
        })
        .await;
    assert_eq!(completed, steered);
    let late = client.thread.interrupt(None).await;
    assert_eq!(late, Err(Refused::NoTurn));
}

#[tokio::test]
async fn interrupt_stops_the_model_and_the_call_is_given_up() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("think long").await;
    let call = bench.model.expect_request().await;
    client.thread.interrupt(None).await.unwrap();
    assert_eq!(client.until_completed().await, TurnStatus::Interrupted);
    call.hang().await;
}

#[tokio::test]
async fn interrupt_kills_a_running_command() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("wait").await;
    let script = "echo begun; sleep 1000; echo never > never.txt";
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": script })).await;
    client
        .until(|event| match event {
            EventBody::CommandOutputDelta { turn: _, item: _, delta } => {
                delta.contains("begun").then_some(())
            }
            _other => None,
        })
        .await;
    client.thread.interrupt(None).await.unwrap();
    let ItemBody::Command(item) = client.until_tool().await else { panic!("not a command") };
    assert_eq!(item.status, ItemStatus::Failed);
    assert!(item.output.starts_with("begun\n"), "{}", item.output);
    assert_eq!(client.until_completed().await, TurnStatus::Interrupted);
    assert!(!bench.repository.path().join("never.txt").exists());

    // The next turn knows, and goes on from there.
    client.type_words("what happened?").await;
    let call = bench.model.expect_request().await;
    let told = call.request().tool_output("c1").unwrap().to_owned();
    assert!(told.starts_with("aborted by the user"), "{told}");
    call.reply_message("You stopped me.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
}

/// It is killed two seconds later, and until then the turn has not ended: what it said last is
/// told, and no other turn works beside it.
#[tokio::test]
async fn a_command_that_does_not_listen_is_killed_and_its_output_kept() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("wait").await;
    let script = "trap 'echo not yet' TERM; echo begun; while :; do sleep 1000; done";
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": script })).await;
    let prints = |words: &'static str| {
        move |event: &EventBody| match event {
            EventBody::CommandOutputDelta { delta, .. } => delta.contains(words).then_some(()),
            _other => None,
        }
    };
    client.until(prints("begun")).await;
    client.thread.interrupt(None).await.unwrap();
    client.until(prints("not yet")).await;
    let ItemBody::Command(item) = client.until_tool().await else { panic!("not a command") };
    assert_eq!(item.status, ItemStatus::Failed);
    assert!(item.output.starts_with("begun\n"), "{}", item.output);
    assert!(item.output.contains("not yet\n"), "{}", item.output);
    assert!(item.duration.is_some(), "{item:?}");
    assert_eq!(client.until_completed().await, TurnStatus::Interrupted);

    client.type_words("what happened?").await;
    let call = bench.model.expect_request().await;
    let told = call.request().tool_output("c1").unwrap().to_owned();
    assert!(told.contains("not yet") && !told.contains("still be ending"), "{told}");
    call.reply_message("You stopped me.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("hello").await;
    let call = bench.model.expect_request().await;
    call.reply_error(503, json!({ "error": { "message": "overloaded" } })).await;
    let retrying = |event: &EventBody| match event {
        EventBody::Retrying { attempt, .. } => Some(*attempt),
        _other => None,
    };
    assert_eq!(client.until(retrying).await, 1);
    let call = bench.model.expect_request().await;
    call.reply(ModelReply::message("lost half way").cut_after(2)).await;
    assert_eq!(client.until(retrying).await, 2);
    bench.model.expect_request().await.reply_message("Here.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
}

#[tokio::test]
async fn lasting_failures_end_the_turn_with_a_sentence() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("hello").await;
    let call = bench.model.expect_request().await;
    call.reply_error(401, json!({ "error": { "message": "bad key" } })).await;
    let TurnStatus::Failed(TurnFailure { message }) = client.until_completed().await else {
        panic!("did not fail");
    };
    assert!(message.contains("Test") && message.contains("key"), "{message}");

    // The thread lives on, and the words are kept.
    client.type_words("again").await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().messages("user"), ["hello", "again"]);
    call.reply_message("Now.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
}

#[tokio::test]
async fn project_documents_and_the_place_are_told_once() {
    let mut bench = Bench::new();
    std::fs::write(bench.repository.path().join("AGENTS.md"), "Use tabs.").unwrap();
    let mut client = bench.client();
    client.type_words("one").await;
    let call = bench.model.expect_request().await;
    let told = call.request().messages("developer").join("\n");
    assert!(!told.contains("Use tabs."), "{told}");
    let docs = |text: &str| text.matches("Use tabs.").count();
    assert_eq!(docs(&call.request().messages("user").join("\n")), 1);
    let place = format!("working directory: {}", bench.repository.path().display());
    assert!(told.contains(&place), "{told}");
    call.reply_message("Yes.").await;
    client.until_completed().await;
    client.type_words("two").await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().messages("developer").join("\n"), told);
    assert_eq!(docs(&call.request().messages("user").join("\n")), 1);
    call.reply_message("Yes.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let bench = Bench::new();
    let mut settings = bench.settings();
    settings.cwd = bench.repository.path().join("nowhere");
    let refused = bench.engine.start_thread(bench.start(settings)).unwrap_err();
    assert!(matches!(refused, StartError::NoDirectory(_)), "{refused}");

    // One that goes away later fails the turn.
    let mut settings = bench.settings();
    settings.cwd = bench.repository.path().join("soon");
    std::fs::create_dir(&settings.cwd).unwrap();
    let gone = settings.cwd.clone();
    let mut client = bench.client_with(settings);
    std::fs::remove_dir(&gone).unwrap();
    client.type_words("hello").await;
    let TurnStatus::Failed(TurnFailure { message }) = client.until_completed().await else {
        panic!("did not fail");
    };
    assert!(message.contains("soon"), "{message}");
}

#[tokio::test]
async fn shutdown_ends_everything_and_the_log_is_complete() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("wait").await;
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": "sleep 1000" })).await;
    client
        .until(|event| matches!(event, EventBody::ItemStarted { item, .. } if matches!(item.body, ItemBody::Command(_))).then_some(()))
        .await;
    bench.engine.shutdown().await;
    assert_eq!(client.until_completed().await, TurnStatus::Interrupted);
    let input = UserInput { text: "late".to_owned(), source: InputSource::Typed, material: None };
    assert_eq!(client.thread.start_turn(input).await, Err(Refused::Closed));
    assert_eq!(
        bench.engine.start_thread(bench.start(bench.settings())).unwrap_err(),
        StartError::ShuttingDown
    );
    let last = bench.log().pop().unwrap();
    assert_eq!(last["payload"]["type"], "turn_aborted");
}

#[tokio::test]
async fn readers_end_with_an_engine_that_is_dropped() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("wait").await;
    let call = bench.model.expect_request().await;
    drop(bench.engine);
    client.until_closed().await;
    call.hang().await;
}
