//! The agent's model: a service of the Responses API that plays the turn's script.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::director::Note;
use super::plan::Script;

/// As fast as a good service writes: 30 letters in a tenth of a second.
const PIECE: usize = 30;
const PIECE_TIME: Duration = Duration::from_millis(100);

const SENTENCES: [&str; 7] = [
    "The test that counts words in an empty line fails, because splitting an empty line gives one empty word.",
    "I looked at the source file and there is one public function in it.",
    "Nothing else depends on it, as far as I can see.",
    "The fix would be to split at white space, which leaves out what is empty.",
    "The other test passes, and it still will after that change.",
    "There is no documentation for the function yet.",
    "If you like, I can make the change and run the tests again.",
];

pub(crate) struct Agent {
    pub(crate) base_url: String,
    /// Of the turn that was said last. Read when a request comes, written when a turn is said.
    script: Arc<Mutex<Script>>,
}

impl Agent {
    /// Tells when it is asked and when it has answered.
    pub(crate) fn start(notes: Sender<Note>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let script = Arc::new(Mutex::new(Script::Short));
        let current = Arc::clone(&script);
        // Ends with the process, as what it serves does.
        thread::Builder::new().name("agent".to_owned()).spawn(move || {
            for socket in listener.incoming().flatten() {
                let (current, notes) = (Arc::clone(&current), notes.clone());
                thread::spawn(move || {
                    if let Err(error) = serve(&socket, &current, &notes) {
                        // An interrupted turn hangs up in the middle, which is its right.
                        eprintln!("the agent's model: {error:#}");
                    }
                });
            }
        })?;
        Ok(Self { base_url, script })
    }

    pub(crate) fn play(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }
}

fn serve(socket: &TcpStream, script: &Mutex<Script>, notes: &Sender<Note>) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    let body = read_body(&mut BufReader::new(socket))?;
    let script = *script.lock().unwrap_or_else(PoisonError::into_inner);
    let done = outputs_since_asked(&body);
    // The conversation has ended when nobody takes this.
    if done == 0 {
        notes.send(Note::Asked).ok();
    }
    let mut socket = socket;
    socket.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
    )?;
    let mut send = |event: Value| {
        let kind = event["type"].as_str().unwrap_or_default();
        socket.write_all(format!("event: {kind}\ndata: {event}\n\n").as_bytes())
    };
    let words = body["input"].as_array().map_or(0, Vec::len);
    match step(script, done, words) {
        Step::Command(command) => {
            send(json!({ "type": "response.output_item.done", "output_index": 0, "item": {
                "type": "function_call", "id": format!("fc_{words}"), "status": "completed",
                "call_id": format!("call_{words}"), "name": "shell",
                "arguments": json!({ "command": command }).to_string(),
            }}))?;
        }
        Step::Say(text) => {
            notes.send(Note::Replying).ok();
            for piece in pieces(&text) {
                thread::sleep(PIECE_TIME);
                send(json!({
                    "type": "response.output_text.delta",
                    "item_id": "msg", "output_index": 0, "content_index": 0, "delta": piece,
                }))?;
            }
            send(json!({ "type": "response.output_item.done", "output_index": 0, "item": {
                "type": "message", "id": "msg", "role": "assistant", "status": "completed",
                "content": [{ "type": "output_text", "text": text, "annotations": [] }],
            }}))?;
        }
    }
    send(json!({ "type": "response.completed", "response": {
        "id": "resp", "status": "completed",
        "usage": {
            "input_tokens": 100, "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": 10, "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": 110,
        },
    }}))?;
    Ok(())
}

/// Of a request with `content-length`, which is what clients of this API send.
fn read_body(request: &mut BufReader<&TcpStream>) -> anyhow::Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        request.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body)?;
    serde_json::from_slice(&body).context("a request that is no JSON")
}

/// How many tools have run since the user said something last.
fn outputs_since_asked(body: &Value) -> usize {
    let items = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let asked = items.iter().rposition(|it| it["role"] == "user");
    let since = &items[asked.map_or(0, |at| at + 1)..];
    since.iter().filter(|it| it["type"] == "function_call_output").count()
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Command(&'static str),
    Say(String),
}

/// `number` only chooses the words.
fn step(script: Script, outputs: usize, number: usize) -> Step {
    let say = |count: usize| {
        let sentences = SENTENCES.iter().cycle().skip(number % SENTENCES.len()).take(count);
        Step::Say(sentences.copied().collect::<Vec<_>>().join(" "))
    };
    match (script, outputs) {
        (Script::Long, _) => say(5),
        (Script::Tools, 0) => Step::Command("cat src/lib.rs"),
        (Script::Tools, 1) => Step::Command("grep -rn words src"),
        (Script::Slow, 0) => Step::Command("sleep 15"),
        (Script::Short | Script::Tools | Script::Slow, _) => say(1 + number % 2),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let count = letters.len().div_ceil(PIECE);
    (0..count).map(move |it| letters.iter().skip(it * PIECE).take(PIECE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_goes_on_where_its_tools_have_got_to() {
        let user = json!({ "type": "message", "role": "user" });
        let call = json!({ "type": "function_call" });
        let output = json!({ "type": "function_call_output" });
        let at = |items: &[&Value]| outputs_since_asked(&json!({ "input": items }));
        assert_eq!(at(&[&user]), 0);
        assert_eq!(at(&[&user, &call, &output]), 1);
        assert_eq!(at(&[&user, &call, &output, &call, &output]), 2);
        assert_eq!(at(&[&user, &call, &output, &user]), 0);
        let commands = |script| {
            (0..9).take_while(|it| matches!(step(script, *it, 0), Step::Command(_))).count()
        };
        let scripts = [Script::Short, Script::Long, Script::Tools, Script::Slow];
        assert_eq!(scripts.map(commands), [0, 0, 2, 1]);
    }

    #[test]
    fn the_pieces_are_the_text() {
        assert_eq!(pieces(SENTENCES[0]).collect::<String>(), SENTENCES[0]);
        assert_eq!(pieces("").count(), 0);
    }
}
