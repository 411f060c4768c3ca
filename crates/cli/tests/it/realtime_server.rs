use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript};
use transport::{
    Dial, Headers, Network, Trust, WebSocketError, WebSocketMessage, WebSocketReader,
    WebSocketWriter,
};

use crate::lab::{Lab, Ran};

const KEY: &str = "a-key-for-the-tests";

/// A server without weights: the model host cannot even start.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(lab: &Lab) -> Self {
        let mut child = lab
            .duet()
            .arg("realtime-server")
            .env("DUET_REALTIME_API_KEY", KEY)
            // No directory, so no place for the host's socket.
            .env("XDG_RUNTIME_DIR", lab.repo().join("notes.txt"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    async fn connect(
        &self,
        key: &str,
    ) -> Result<(WebSocketWriter, WebSocketReader), WebSocketError> {
        let mut headers = Headers::new();
        headers.insert_secret("authorization", &format!("Bearer {key}")).unwrap();
        let dial = Dial { url: self.url.clone(), headers, timeout: Duration::from_secs(20) };
        Network::new(Trust::System).open_websocket(&dial).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        drop((kill, self.child.wait()));
    }
}

/// Who has no agent of its own is answered by the configured model.
#[tokio::test]
async fn replies_are_written_by_the_configured_provider() {
    let lab = Lab::new();
    lab.hollow_voice();
    let model = ModelScript::start([ModelReply::message("It is a fine day.")]);
    lab.provider(&model.base_url());
    let server = Server::start(&lab);
    let (mut writer, mut reader) = server.connect(KEY).await.unwrap();
    let words = json!([{ "type": "input_text", "text": "How is the weather?" }]);
    let item = json!({ "type": "message", "role": "user", "content": words });
    for event in [
        json!({
            "type": "session.update",
            "session": { "type": "realtime", "output_modalities": ["text"] },
        }),
        json!({ "type": "conversation.item.create", "item": item }),
        json!({ "type": "response.create" }),
    ] {
        writer.feed(event.to_string()).await.unwrap();
    }
    writer.flush().await.unwrap();
    let done = loop {
        let message = reader.next().await.unwrap().unwrap();
        let WebSocketMessage::Text(text) = message else { continue };
        let event: Value = serde_json::from_str(&text).unwrap();
        if event["type"] == "response.done" {
            break event;
        }
    };
    let said = &done["response"]["output"][0]["content"][0]["text"];
    assert_eq!(said, "It is a fine day.", "{done}");
    let requests = model.requests();
    assert_eq!(requests[0].messages("user"), ["How is the weather?"]);
    model.finish();
}

/// A key in the environment is not seen in the list of processes, and is as good.
#[tokio::test]
async fn the_key_comes_from_the_environment() {
    let lab = Lab::new();
    lab.hollow_voice();
    lab.provider("http://127.0.0.1:9/v1");
    let server = Server::start(&lab);
    assert!(server.connect(KEY).await.is_ok());
    let refused = server.connect("another-key-entirely").await.err().unwrap();
    assert!(matches!(&refused, WebSocketError::Refused(it) if it.status == 401), "{refused}");
}

#[test]
fn a_bad_key_is_named_by_where_it_came_from() {
    let lab = Lab::new();
    let mut server = lab.duet();
    server.arg("realtime-server").env("DUET_REALTIME_API_KEY", "short");
    Ran::of(&mut server).expect_failure(2, &["DUET_REALTIME_API_KEY", "16"]);
    lab.run(&["realtime-server", "--api-key", "short"]).expect_failure(2, &["--api-key", "16"]);
}

#[test]
fn the_model_that_writes_replies_is_required() {
    let lab = Lab::new();
    lab.hollow_voice();
    let ran = lab.run(&["realtime-server"]);
    ran.expect_failure(3, &["agent", "duet models fetch"]);
}

#[test]
fn an_address_for_other_machines_is_named_with_its_flag() {
    let lab = Lab::new();
    let ran = lab.run(&["realtime-server", "--listen", "0.0.0.0:0"]);
    ran.expect_failure(2, &["0.0.0.0:0", "--allow-other-machines"]);
    let ran = lab.run(&["realtime-server", "--listen", "there:80"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("such as 127.0.0.1:8800"), "{}", ran.err);
}
