//! A small HTTP server with ranges that can misbehave, one answer per connection.

use std::sync::mpsc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How the next request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The file, from the asked offset.
    File(Vec<u8>),
    /// The file, cut after so many bytes of the body.
    Cut(Vec<u8>, usize),
    /// The whole of this with status 200, whatever was asked for, and no word of its length:
    /// what a proxy says in place of a file.
    Page(Vec<u8>),
    NotFound,
}

/// What was asked: the path, and the `range` header's first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) from: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    asked: mpsc::Receiver<Asked>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Answers as many requests as there are answers, then refuses connections.
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = mpsc::channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.unwrap();
                tell.send(serve(stream, answer).await).unwrap();
            }
        });
        Self { url, asked, _serving: serving }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.try_iter().collect()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) -> Asked {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let from = head.lines().find_map(|line| {
        let value = line.to_ascii_lowercase();
        value.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
    });
    let (body, cut) = match answer {
        Answer::File(body) => (body, usize::MAX),
        Answer::Cut(body, cut) => (body, cut),
        Answer::Page(page) => {
            let text = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            stream.write_all(text.as_bytes()).await.unwrap();
            stream.write_all(&page).await.unwrap();
            stream.shutdown().await.unwrap();
            return Asked { path, from };
        }
        Answer::NotFound => {
            let text = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(text.as_bytes()).await.unwrap();
            return Asked { path, from };
        }
    };
    let rest = &body[from.unwrap_or(0).min(body.len())..];
    let status = match from {
        Some(from) => format!(
            "206 Partial Content\r\ncontent-range: bytes {from}-{}/{}",
            body.len() - 1,
            body.len()
        ),
        None => "200 OK".to_owned(),
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&rest[..rest.len().min(cut)]).await.unwrap();
    stream.shutdown().await.unwrap();
    Asked { path, from }
}
