use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript};

use crate::lab::Lab;

/// A client on standard input and output.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    fn start(lab: &Lab) -> Self {
        Self::start_with(lab, json!({}))
    }

    fn start_with(lab: &Lab, capabilities: Value) -> Self {
        let mut child = lab
            .duet()
            .args(["app-server", "--listen", "stdio://"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self { child, stdin, stdout };
        let client_info = json!({ "name": "test", "version": "1" });
        let params = json!({ "clientInfo": client_info, "capabilities": capabilities });
        let answer = client.call("initialize", params);
        assert!(answer["userAgent"].as_str().unwrap().starts_with("test/"), "{answer}");
        client
    }

    fn send(&mut self, message: &Value) {
        self.send_together(std::slice::from_ref(message));
    }

    /// In one piece, so that the second is read before the first has had consequences.
    fn send_together(&mut self, messages: &[Value]) {
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        self.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// The next message is the answer, and it is no error.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "id": method, "method": method, "params": params }));
        let answer = self.next();
        assert_eq!(answer["id"], method, "{answer}");
        assert_eq!(answer["error"], Value::Null, "{answer}");
        answer["result"].clone()
    }

    /// Notifications up to `method`, which is the last of them.
    fn until(&mut self, method: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let message = self.next();
            let found = message["method"] == method;
            seen.push(message);
            if found {
                return seen;
            }
        }
    }
}

#[test]
fn a_program_drives_a_turn_over_standard_input_and_output() {
    let lab = Lab::new();
    let model = ModelScript::start([
        ModelReply::tool_call("call_1", "shell", json!({ "command": "cat notes.txt" })),
        ModelReply::message("Milk."),
    ]);
    lab.provider(&model.base_url());
    let mut client = Client::start(&lab);

    let started = client.call("thread/start", json!({ "cwd": lab.repo() }));
    let thread = started["thread"]["id"].as_str().unwrap().to_owned();
    assert_eq!(started["model"], "mock-model");
    assert_eq!(started["sandbox"]["type"], "workspaceWrite");
    assert_eq!(client.next()["method"], "thread/started");

    let input = json!([{ "type": "text", "text": "what is there?" }]);
    let turn = client.call("turn/start", json!({ "threadId": thread, "input": input }));
    let news = client.until("turn/completed");
    let methods: Vec<&str> = news.iter().map(|it| it["method"].as_str().unwrap()).collect();
    assert_eq!(methods[..2], ["thread/status/changed", "turn/started"]);
    let last = news.last().unwrap();
    assert_eq!(last["params"]["turn"]["id"], turn["turn"]["id"]);
    assert_eq!(last["params"]["turn"]["status"], "completed");
    let items: Vec<&str> = news
        .iter()
        .filter(|it| it["method"] == "item/completed")
        .map(|it| it["params"]["item"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(items, ["userMessage", "commandExecution", "agentMessage"]);

    let read = client.call("thread/read", json!({ "threadId": thread, "includeTurns": true }));
    assert_eq!(read["thread"]["preview"], "what is there?");
    assert_eq!(read["thread"]["turns"][0]["items"].as_array().unwrap().len(), 3);
    assert_eq!(read["thread"]["status"]["type"], "idle");
    assert_eq!(client.call("thread/loaded/list", json!({}))["data"], json!([thread]));
    model.finish();
}

#[test]
fn wishes_that_are_not_met_are_refused_by_name() {
    let lab = Lab::new();
    lab.provider("http://127.0.0.1:9/v1");
    let mut client = Client::start(&lab);
    let started = client.call("thread/start", json!({ "cwd": lab.repo() }));
    let thread = started["thread"]["id"].as_str().unwrap().to_owned();
    client.until("thread/started");
    let text = json!([{ "type": "text", "text": "hi" }]);
    for (method, params, code, said) in [
        ("thread/fork", json!({}), -32601, "thread/fork"),
        ("thread/start", json!({ "cwd": "/no/such/place" }), -32600, "/no/such/place"),
        ("thread/start", json!({ "config": { "sandbox_mode": "castle" } }), -32600, "sandbox_mode"),
        (
            "turn/start",
            json!({ "threadId": "none", "input": text }),
            -32600,
            "thread not found: none",
        ),
        (
            "turn/start",
            json!({ "threadId": thread, "input": [] }),
            -32600,
            "input must not be empty",
        ),
        (
            "turn/start",
            json!({ "threadId": thread, "input": text, "model": "bigger" }),
            -32600,
            "turn/start.model is not supported",
        ),
        (
            "turn/start",
            json!({ "threadId": thread, "input": text, "outputSchema": {} }),
            -32600,
            "outputSchema",
        ),
        (
            "turn/start",
            json!({ "threadId": thread, "input": [{ "type": "image", "url": "x" }] }),
            -32600,
            "`text`",
        ),
        (
            "turn/steer",
            json!({ "threadId": thread, "input": text, "expectedTurnId": "x" }),
            -32600,
            "no active turn to steer",
        ),
        (
            "turn/steer",
            json!({ "threadId": thread, "input": text, "expectedTurnId": "" }),
            -32600,
            "expectedTurnId must not be empty",
        ),
        (
            "turn/interrupt",
            json!({ "threadId": thread, "turnId": "x" }),
            -32600,
            "no active turn to interrupt",
        ),
        (
            "thread/realtime/start",
            json!({ "threadId": thread }),
            -32600,
            "thread/realtime/start requires experimentalApi capability",
        ),
    ] {
        client.send(&json!({ "id": 1, "method": method, "params": params }));
        let answer = client.next();
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{method} {params}: {message}");
    }
}

#[test]
fn a_thread_that_is_left_and_joined_again_is_heard_once() {
    let lab = Lab::new();
    let model = ModelScript::start([
        ModelReply::message("One."),
        ModelReply::message("Two."),
        ModelReply::message("Three."),
    ]);
    lab.provider(&model.base_url());
    let mut client = Client::start(&lab);
    let started = client.call("thread/start", json!({ "cwd": lab.repo() }));
    let thread = started["thread"]["id"].as_str().unwrap().to_owned();
    client.until("thread/started");
    let input = json!([{ "type": "text", "text": "go on" }]);
    let go_on = json!({ "threadId": thread, "input": input });
    let is_about_turns = |it: &&Value| it["method"].as_str().unwrap().starts_with("turn/");

    client.send_together(&[
        json!({ "id": 1, "method": "thread/unsubscribe", "params": { "threadId": thread } }),
        json!({ "id": 2, "method": "turn/start", "params": go_on }),
    ]);
    assert_eq!(client.next()["result"]["status"], "unsubscribed");
    assert_eq!(client.next()["id"], 2);
    assert_eq!(client.until("turn/completed").iter().filter(is_about_turns).count(), 2);
    client.call("turn/start", go_on.clone());
    assert_eq!(client.until("turn/completed").iter().filter(is_about_turns).count(), 2);

    // Whoever has left joins again by calling it.
    let left = client.call("thread/unsubscribe", json!({ "threadId": thread }));
    assert_eq!(left["status"], "unsubscribed");
    let left = client.call("thread/unsubscribe", json!({ "threadId": thread }));
    assert_eq!(left["status"], "notSubscribed");
    client.call("turn/start", go_on);
    assert_eq!(client.until("turn/completed").iter().filter(is_about_turns).count(), 2);
    model.finish();
}

/// A thread's own settings hold for its conversations too.
#[test]
fn a_thread_talks_as_it_was_started() {
    let lab = Lab::new();
    let mut client = Client::start_with(&lab, json!({ "experimentalApi": true }));
    for (config, said) in [
        (json!({ "realtime.voice": "nobody" }), "realtime voice `nobody` is not supported"),
        (json!({ "features.realtime_conversation": false }), "does not support realtime"),
    ] {
        let started = client.call("thread/start", json!({ "config": config }));
        client.until("thread/started");
        let params = json!({ "threadId": started["thread"]["id"] });
        client.send(&json!({ "id": 1, "method": "thread/realtime/start", "params": params }));
        let answer = loop {
            let message = client.next();
            if message["id"] == 1 {
                break message;
            }
        };
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(said), "{config}: {answer}");
    }
}

#[test]
fn the_end_of_input_is_the_end() {
    let lab = Lab::new();
    let mut client = Client::start(&lab);
    drop(client.stdin.take());
    assert_eq!(client.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_configured_is_told_without_secrets() {
    let lab = Lab::new();
    lab.provider("http://127.0.0.1:9/v1");
    let mut client = Client::start(&lab);
    assert_eq!(client.call("config/read", json!({}))["config"]["model_provider"], "mock");
    let account = client.call("account/read", json!({}));
    assert_eq!(account, json!({ "account": { "type": "apiKey" }, "requiresOpenaiAuth": false }));
    let models = client.call("model/list", json!({}));
    assert_eq!(models["data"][0]["model"], "mock-model");
    assert_eq!(models["data"][0]["isDefault"], true);
    assert_eq!(client.call("skills/list", json!({}))["data"], json!([]));
}

/// The first client's process ends; the next one goes on with what it said.
#[test]
fn a_client_resumes_what_another_began() {
    let lab = Lab::new();
    let model = ModelScript::start([ModelReply::message("Milk."), ModelReply::message("Soy.")]);
    lab.provider(&model.base_url());
    let ask = |client: &mut Client, thread: &str, words: &str| {
        let input = json!([{ "type": "text", "text": words }]);
        client.call("turn/start", json!({ "threadId": thread, "input": input }));
        client.until("turn/completed");
    };
    let mut first = Client::start(&lab);
    let started = first.call("thread/start", json!({ "cwd": lab.repo() }));
    let thread = started["thread"]["id"].as_str().unwrap().to_owned();
    first.until("thread/started");
    ask(&mut first, &thread, "what is there?");
    let rejoined = first.call("thread/resume", json!({ "threadId": thread }));
    assert_eq!(rejoined["thread"]["turns"].as_array().unwrap().len(), 1, "{rejoined}");

    let mut second = Client::start(&lab);
    second.send(&json!({ "id": 1, "method": "thread/resume", "params": { "threadId": thread } }));
    let refused = second.next();
    assert!(refused["error"]["message"].as_str().unwrap().contains("in use"), "{refused}");
    drop(first.stdin.take());
    first.child.wait().unwrap();
    // An edit since then does not change the model of what goes on.
    let config = lab.home().join("config.toml");
    let edited = std::fs::read_to_string(&config).unwrap().replace("mock-model", "newer-model");
    std::fs::write(&config, edited).unwrap();
    let resumed = second.call("thread/resume", json!({ "threadId": thread }));
    assert_eq!(resumed["model"], "mock-model");
    assert_eq!(resumed["cwd"], lab.repo().to_str().unwrap());
    assert_eq!(resumed["thread"]["preview"], "what is there?");
    assert_eq!(resumed["thread"]["turns"][0]["status"], "completed");
    assert_eq!(resumed["thread"]["turns"][0]["items"].as_array().unwrap().len(), 2);
    assert_eq!(resumed["thread"]["createdAt"], started["thread"]["createdAt"]);
    ask(&mut second, &thread, "which one?");
    let brief = json!({ "threadId": thread, "excludeTurns": true });
    assert_eq!(second.call("thread/resume", brief)["thread"]["turns"], json!([]));
    second.send(&json!({ "id": 1, "method": "thread/resume", "params": { "threadId": "none" } }));
    assert!(second.next()["error"]["message"].as_str().unwrap().contains("none"));
    model.finish();
}
