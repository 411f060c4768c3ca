//! A server of raw bytes: it reads one request's head and body, and says what it is told.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Serves one connection after the other on a thread, each by the next of `scripts`.
pub(crate) struct RawServer {
    pub(crate) address: String,
    thread: JoinHandle<Vec<String>>,
}

/// What one connection gets.
pub(crate) enum Script {
    /// These bytes, then the end of the connection.
    Say(Vec<u8>),
    /// These bytes, then nothing until the client leaves.
    SayAndHang(Vec<u8>),
}

impl Script {
    pub(crate) fn say(text: impl Into<Vec<u8>>) -> Self {
        Self::Say(text.into())
    }

    pub(crate) fn say_and_hang(text: impl Into<Vec<u8>>) -> Self {
        Self::SayAndHang(text.into())
    }
}

impl RawServer {
    pub(crate) fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let scripts: Vec<Script> = scripts.into_iter().collect();
        let serve = move || scripts.into_iter().map(|it| serve(&listener, it)).collect();
        Self { address, thread: std::thread::spawn(serve) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests, once every script was played.
    pub(crate) fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn serve(listener: &TcpListener, script: Script) -> String {
    let (mut socket, _) = listener.accept().unwrap();
    let request = read_request(&mut socket);
    let (Script::Say(bytes) | Script::SayAndHang(bytes)) = &script;
    // The client may leave in the middle: that is what some tests are about.
    if socket.write_all(bytes).is_ok() && matches!(script, Script::SayAndHang(_)) {
        while matches!(socket.read(&mut [0; 64]), Ok(1..)) {}
    }
    request
}

/// The head and as much body as it announces.
pub(crate) fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let len = head.lines().find_map(|it| it.strip_prefix("content-length: "));
            if body.len() >= len.map_or(0, |it| it.parse().unwrap()) {
                return String::from_utf8(request).unwrap();
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).unwrap() {
            0 => panic!("half a request: {text}"),
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
}
