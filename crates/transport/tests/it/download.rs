use std::time::Duration;

use transport::{Download, DownloadError};

use crate::network;
use crate::support::{RawServer, Script};

const PATIENCE: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(150);

async fn read(download: &mut Download) -> Result<String, DownloadError> {
    let mut text = String::new();
    while let Some(chunk) = download.chunk().await? {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    Ok(text)
}

async fn open(server: &RawServer, offset: u64) -> Result<Download, DownloadError> {
    network().download(&server.url("/file?token=x"), offset, PATIENCE).await
}

#[tokio::test]
async fn a_whole_file() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let server = RawServer::start([Script::say(answer)]);
    let mut download = open(&server, 0).await.unwrap();
    assert_eq!((download.starts_at, download.total), (0, Some(5)));
    assert_eq!(read(&mut download).await.unwrap(), "hello");
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /file?token=x HTTP/1.1\r\n"), "{requests:?}");
    assert!(!requests[0].to_lowercase().contains("range:"), "{requests:?}");
}

#[tokio::test]
async fn the_rest_of_a_file() {
    let answer =
        "HTTP/1.1 206 Partial\r\ncontent-range: bytes 2-4/5\r\ncontent-length: 3\r\n\r\nllo";
    let server = RawServer::start([Script::say(answer)]);
    let mut download = open(&server, 2).await.unwrap();
    assert_eq!((download.starts_at, download.total), (2, Some(5)));
    assert_eq!(read(&mut download).await.unwrap(), "llo");
    let requests = server.requests();
    assert!(requests[0].to_lowercase().contains("range: bytes=2-\r\n"), "{requests:?}");
}

#[tokio::test]
async fn a_service_without_ranges_begins_anew() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let server = RawServer::start([Script::say(answer)]);
    let mut download = open(&server, 2).await.unwrap();
    assert_eq!((download.starts_at, download.total), (0, Some(5)));
    assert_eq!(read(&mut download).await.unwrap(), "hello");
}

#[tokio::test]
async fn another_range_than_asked_for_is_an_error() {
    let answer =
        "HTTP/1.1 206 Partial\r\ncontent-range: bytes 0-4/5\r\ncontent-length: 5\r\n\r\nhello";
    let server = RawServer::start([Script::say(answer)]);
    let error = open(&server, 2).await.unwrap_err();
    assert!(matches!(error, DownloadError::Cut { .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_followed_with_the_range() {
    let moved = "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let answer = "HTTP/1.1 206 Partial\r\ncontent-range: bytes 2-4/*\r\n\r\nllo";
    let server = RawServer::start([Script::say(moved), Script::say(answer)]);
    let mut download = open(&server, 2).await.unwrap();
    assert_eq!(download.total, None);
    assert_eq!(read(&mut download).await.unwrap(), "llo");
    let requests = server.requests();
    assert!(requests[1].starts_with("GET /elsewhere HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[1].to_lowercase().contains("range: bytes=2-\r\n"), "{requests:?}");
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let moved = |to: &str| {
        Script::say(format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    let server = RawServer::start([moved("file:///etc/passwd")]);
    let error = open(&server, 0).await.unwrap_err();
    assert!(matches!(error, DownloadError::Redirect { .. }), "{error:?}");
    let server = RawServer::start((0..10).map(|_| moved("/again")));
    let error = open(&server, 0).await.unwrap_err();
    assert!(matches!(error, DownloadError::Redirect { .. }), "{error:?}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let answer = |head: &str| Script::say(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n"));
    let server = RawServer::start([
        answer("404 Not Found"),
        answer("410 Gone"),
        answer("416 No\r\ncontent-range: bytes */5"),
        answer("416 No"),
        answer("503 Busy\r\nretry-after: 3"),
    ]);
    let url = server.url("/file");
    let gone = |status| DownloadError::NotFound { url: url.clone(), status };
    let past = |total| DownloadError::PastTheEnd { url: url.clone(), have: 9, total };
    for expected in [gone(404), gone(410), past(Some(5)), past(None)] {
        assert_eq!(open(&server, 9).await.unwrap_err(), expected);
    }
    let error = open(&server, 0).await.unwrap_err();
    let DownloadError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!((refusal.status, refusal.retry_after), (503, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn a_cut_keeps_what_came_before() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let server = RawServer::start([Script::say(answer)]);
    let mut download = open(&server, 0).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "hello");
    let error = download.chunk().await.unwrap_err();
    assert!(matches!(error, DownloadError::Cut { .. }), "{error:?}");
}

/// A range without a length ends with the connection: only the total shows the cut.
#[tokio::test]
async fn an_end_before_the_total_is_a_cut() {
    let answer = "HTTP/1.1 206 Partial\r\ncontent-range: bytes 2-4/5\r\n\r\nll";
    let server = RawServer::start([Script::say(answer)]);
    let mut download = open(&server, 2).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "ll");
    let error = download.chunk().await.unwrap_err();
    assert!(error.to_string().contains("ended after 4 of 5 bytes"), "{error}");
}

#[tokio::test]
async fn silence_is_an_error() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let server = RawServer::start([Script::say_and_hang(""), Script::say_and_hang(answer)]);
    let url = server.url("/file");
    let error = network().download(&url, 0, SILENCE).await.unwrap_err();
    assert!(matches!(error, DownloadError::Stalled { .. }), "{error:?}");
    let mut download = network().download(&url, 0, SILENCE).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "hello");
    let error = download.chunk().await.unwrap_err();
    assert!(matches!(error, DownloadError::Stalled { .. }), "{error:?}");
}
