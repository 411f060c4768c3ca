use std::time::Duration;

use transport::{Dial, Headers, Post};

use crate::network;

#[tokio::test]
async fn nothing_prints_a_secret() {
    let mut headers = Headers::new();
    headers.insert_bearer("sk-secret").unwrap();
    headers.insert_secret("x-key", "sk-secret").unwrap();
    let illegal = headers.insert_secret("x-key", "sk-secret\n").unwrap_err();
    // Nobody listens on port 9 of this machine, or it does not speak HTTP.
    let url = "http://user:sk-secret@127.0.0.1:9/v1?key=sk-secret#sk-secret";
    let idle = Duration::from_secs(5);
    let post = Post { url: url.into(), headers: headers.clone(), body: "".into(), idle };
    let refused = network().post_sse(&post).await.unwrap_err();
    let dial = Dial { url: url.replace("http", "ws"), headers: headers.clone(), timeout: idle };
    let closed = network().open_websocket(&dial).await.unwrap_err();
    let nowhere = network().download(url, 0, idle).await.unwrap_err();
    let unusable = Post { url: "nowhere?key=sk-secret".into(), ..post.clone() };
    let unusable = network().post_sse(&unusable).await.unwrap_err();
    let printed = format!(
        "{headers:?} {illegal} {illegal:?} {refused} {refused:?} {closed} {closed:?} \
         {nowhere} {nowhere:?} {unusable} {unusable:?}"
    );
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn headers_must_be_legal() {
    let mut headers = Headers::new();
    for (name, value) in [("a b", "1"), ("", "1"), ("x", "a\nb"), ("x", "\u{7}")] {
        assert!(headers.insert(name, value).is_err(), "{name:?}: {value:?}");
    }
    assert_eq!(headers, Headers::new());
}
