//! The rules of the event stream format, over a real connection.

use stdx::Dice;
use transport::SseDecoder;

use crate::http::post;
use crate::network;
use crate::support::{RawServer, Script};

/// What `body` says, as `name|data` a line, however it is cut into pieces.
async fn read(body: &str, piece: usize) -> Vec<String> {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(piece) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let server = RawServer::start([Script::Say(bytes)]);
    let mut stream = network().post_sse(&post(&server.url("/v1"))).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        events.push(format!("{}|{}", event.name, event.data));
    }
    events
}

async fn check(body: &str, expected: &[&str]) {
    for piece in [1, 2, usize::MAX] {
        assert_eq!(read(body, piece).await, expected, "{body:?} in pieces of {piece}");
    }
}

#[tokio::test]
async fn lines_may_end_in_three_ways() {
    check("event: a\ndata: 1\n\ndata: 2\n\n", &["a|1", "|2"]).await;
    check("event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", &["a|1", "|2"]).await;
    check("event: a\rdata: 1\r\rdata: 2\r\r", &["a|1", "|2"]).await;
}

#[tokio::test]
async fn fields() {
    check("data: one\ndata: two\n\n", &["|one\ntwo"]).await;
    check("data:no blank\n\n", &["|no blank"]).await;
    check("data:  two blanks\n\n", &["| two blanks"]).await;
    check("data\n\n", &["|"]).await;
    check("data:\ndata:\n\n", &["|\n"]).await;
    check("id: 7\nretry: 1\ndata: x: y\nunknown: z\n\n", &["|x: y"]).await;
    check(": a comment\n\n:\ndata: 1\n\n", &["|1"]).await;
}

#[tokio::test]
async fn an_event_without_data_is_none() {
    check("event: a\n\ndata: 1\n\n", &["|1"]).await;
    check("\n\n\n", &[]).await;
    check("", &[]).await;
}

#[tokio::test]
async fn letters_may_fall_apart_between_reads() {
    check("data: äöü 🎤\n\n", &["|äöü 🎤"]).await;
    check("\u{FEFF}data: 1\n\ndata: \u{FEFF}\n\n", &["|1", "|\u{FEFF}"]).await;
}

/// Noise is read, whatever it is; and how it is cut does not matter.
#[tokio::test]
async fn noise_reads_the_same_in_any_pieces() {
    let alphabet = ["data", ":", " ", "\n", "\r", "\r\n", "event", "ä", "\u{FEFF}", "x", "\u{0}"];
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let word = |dice: &mut Dice| alphabet[dice.roll(alphabet.len() as u64) as usize];
        let body: String = (0..60).map(|_| word(&mut dice)).collect();
        let whole = read(&body, usize::MAX).await;
        let piece = 1 + dice.roll(5) as usize;
        assert_eq!(read(&body, piece).await, whole, "seed {seed}: {body:?} by {piece}");
    }
}

#[test]
fn what_is_no_utf8_is_mended() {
    let mut decoder = SseDecoder::new(64);
    decoder.push(b"event: \xc3\xa9\ndata: a\xffb\n\n");
    let event = decoder.next_event().unwrap().unwrap();
    assert_eq!((event.name.as_str(), event.data.as_str()), ("\u{e9}", "a\u{fffd}b"));
}
