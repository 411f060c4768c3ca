//! What is written, when, and what happens when it cannot be.

use protocol::{EventBody, ItemBody, ModelItem, Role, TurnStatus};
use serde_json::{Value, json};

use crate::bench::Bench;

#[tokio::test]
async fn completed_items_are_in_the_file_before_they_are_announced() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    assert!(bench.log().is_empty(), "nobody has said anything yet");
    client.type_words("hello").await;
    bench.model.expect_request().await.reply_message("Good morning").await;
    loop {
        let (id, completed) = client
            .until(|event| match event {
                EventBody::ItemCompleted { turn: _, item } => Some((item.id.to_string(), false)),
                EventBody::TurnCompleted { turn, status: _ } => Some((turn.to_string(), true)),
                _other => None,
            })
            .await;
        let written = |line: &Value| {
            let payload = &line["payload"];
            payload["item"]["id"] == id.as_str()
                || (payload["type"] == "task_complete" && payload["turn_id"] == id.as_str())
        };
        assert!(bench.log().iter().any(written), "{id} was announced and not written");
        if completed {
            break;
        }
    }
    let kinds: Vec<String> = bench
        .log()
        .iter()
        .map(|line| match &line["payload"]["type"] {
            Value::String(payload) => format!("{} {payload}", line["type"].as_str().unwrap()),
            _untyped => line["type"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "session_meta",
            "turn_context",
            "response_item message",
            "event_msg task_started",
            "response_item message",
            "event_msg item_completed",
            "event_msg item_completed",
            "event_msg token_count",
            "response_item message",
            "event_msg task_complete",
        ]
    );
    assert_eq!(bench.log()[0]["payload"]["git"]["branch"], "main");
}

#[tokio::test]
async fn a_call_is_in_the_file_before_its_effect() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("look").await;
    let sessions = bench.home.path().join("sessions");
    let script = format!("grep -rc '\"call_id\":\"c1\"' {}", sessions.display());
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": script })).await;
    let call = bench.model.expect_request().await;
    let told = call.request().tool_output("c1").unwrap().to_owned();
    assert!(told.contains(".jsonl:1"), "{told}");
    call.reply_message("It is there.").await;
    client.until_completed().await;
}

#[tokio::test]
async fn a_log_reads_back_as_the_thread() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.type_words("hello").await;
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": "echo hi" })).await;
    bench.model.expect_request().await.reply_message("Good morning").await;
    client.until_completed().await;
    let session = bench.engine.read(client.thread.id()).unwrap();
    assert_eq!(session.meta.thread, *client.thread.id());
    assert_eq!(session.turns.len(), 1);
    assert_eq!(session.turns[0].status, TurnStatus::Completed);
    assert_eq!(session.turns[0].items.len(), 3);
    assert_eq!(session.skipped, 0);
    let said = ModelItem::Message { role: Role::Assistant, text: "Good morning".to_owned() };
    assert_eq!(session.history.last(), Some(&said));
    let summary = &bench.engine.list(9)[0];
    assert_eq!(summary.preview, "hello");
}

#[tokio::test]
async fn a_home_that_cannot_be_written_costs_no_thread() {
    let mut bench = Bench::new();
    let sessions = bench.home.path().join("sessions");
    std::fs::write(&sessions, "in the way").unwrap();
    let mut client = bench.client();
    client.type_words("hello").await;
    let message = client
        .until(|event| match event {
            EventBody::Warning { message } => Some(message.clone()),
            _other => None,
        })
        .await;
    assert!(message.starts_with("cannot write "), "{message}");
    bench.model.expect_request().await.reply_message("Good morning").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);

    // When it can be written again, nothing is missing.
    std::fs::remove_file(&sessions).unwrap();
    client.type_words("again").await;
    bench.model.expect_request().await.reply_message("Yes?").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
    let warnings =
        client.seen().iter().filter(|event| matches!(event.body, EventBody::Warning { .. }));
    assert_eq!(warnings.count(), 1);
    let session = bench.engine.read(client.thread.id()).unwrap();
    let items: Vec<usize> = session.turns.iter().map(|turn| turn.items.len()).collect();
    assert_eq!(items, [2, 2]);
}

#[tokio::test]
async fn ephemeral_threads_leave_nothing() {
    let mut bench = Bench::new();
    let mut settings = bench.settings();
    settings.ephemeral = true;
    let mut client = bench.client_with(settings);
    client.type_words("hello").await;
    bench.model.expect_request().await.reply_message("Good morning").await;
    client.until_completed().await;
    assert!(!bench.home.path().join("sessions").exists());
}

#[tokio::test]
async fn a_thread_goes_on_after_a_crash() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    let id = client.thread.id().clone();
    client.type_words("hello").await;
    bench.model.expect_request().await.reply_message("Good morning").await;
    client.until_completed().await;
    client.type_words("wait for ever").await;
    let call = bench.model.expect_request().await;
    call.reply_tool_call("c1", "shell", json!({ "command": "sleep 1000" })).await;
    client
        .until(|event| match event {
            EventBody::ItemStarted { turn: _, item } => {
                matches!(item.body, ItemBody::Command(_)).then_some(())
            }
            _other => None,
        })
        .await;
    bench.crash();

    let mut client = bench.resume(&id).await;
    let status = client.until_completed().await;
    assert_eq!(status, TurnStatus::Completed);
    assert_eq!(
        client.until_completed().await,
        TurnStatus::Interrupted,
        "it ended with its process"
    );
    client.type_words("and now?").await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().messages("user"), ["hello", "wait for ever", "and now?"]);
    assert_eq!(call.request().messages("assistant"), ["Good morning"]);
    let unknown = call.request().tool_output("c1").unwrap();
    assert!(unknown.contains("unknown"), "{unknown}");
    call.reply_message("Now it is over.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
    let numbers: Vec<u64> = client.seen().iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let taken = bench.engine.reopen(&id).unwrap_err();
    assert!(taken.to_string().contains("in use"), "{taken}");

    let session = bench.engine.read(&id).unwrap();
    let states: Vec<TurnStatus> = session.turns.iter().map(|it| it.status.clone()).collect();
    let ended = [TurnStatus::Completed, TurnStatus::Interrupted, TurnStatus::Completed];
    assert_eq!(states, ended);
    assert!(session.turns.iter().all(|it| it.ended_at.is_some()));
    assert_eq!(session.skipped, 0);
}
