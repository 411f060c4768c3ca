//! As much of HTTP/1.1 as a client's POST needs, by hand: a real server library would not
//! cut a reply short in the middle of a line.

use std::fmt;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::SeenRequest;

const HEADERS: usize = 64;

/// A whole request may not be larger.
const LIMIT: usize = 256 << 20;

#[derive(Debug)]
pub(super) struct Connection {
    number: usize,
    socket: TcpStream,
    unread: Vec<u8>,
}

/// Why a request could not be read.
#[derive(Debug)]
pub(super) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

struct Head {
    len: usize,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body_len: usize,
}

impl Connection {
    pub(super) fn new(number: usize, socket: TcpStream) -> Self {
        Self { number, socket, unread: Vec::new() }
    }

    /// The next request, or `None` when the client hung up between requests.
    pub(super) async fn read_request(mut self) -> Result<Option<(Self, SeenRequest)>, Broken> {
        let head = loop {
            if let Some(head) = parse_head(&self.unread)? {
                break head;
            }
            if !self.fill().await {
                let clean = self.unread.is_empty();
                return if clean { Ok(None) } else { Err(Broken("half a request".into())) };
            }
        };
        while self.unread.len() < head.len + head.body_len {
            if !self.fill().await {
                return Err(Broken(format!("half a body: {} {}", head.method, head.target)));
            }
        }
        let rest = self.unread.split_off(head.len + head.body_len);
        let body = std::mem::replace(&mut self.unread, rest).split_off(head.len);
        let Head { method, target, headers, .. } = head;
        // A body that is no JSON is kept as its text, for the check to refuse.
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        let connection = self.number;
        Ok(Some((self, SeenRequest { connection, method, target, headers, body })))
    }

    /// Errors mean that the client is gone, which is its right.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Resolves when the client hangs up.
    pub(super) async fn client_left(&mut self) {
        while self.fill().await {}
    }

    async fn fill(&mut self) -> bool {
        assert!(self.unread.len() < LIMIT, "a request of more than {LIMIT} bytes");
        // An error is a client that is gone without a goodbye.
        self.socket.read_buf(&mut self.unread).await.is_ok_and(|read| read > 0)
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Broken(format!("no HTTP: {error}"))),
    };
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|it| (it.name.to_ascii_lowercase(), String::from_utf8_lossy(it.value).into_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(it, _)| it == name).map(|(_, value)| value);
    if find("transfer-encoding").is_some() {
        return Err(Broken("a chunked body, which clients of this API have no reason for".into()));
    }
    let body_len = match find("content-length").map(|text| text.parse()) {
        None => 0,
        Some(Ok(len)) => len,
        Some(Err(_)) => return Err(Broken("a content-length that is no number".into())),
    };
    let method = request.method.unwrap_or_default().to_owned();
    let target = request.path.unwrap_or_default().to_owned();
    Ok(Some(Head { len, method, target, headers, body_len }))
}
