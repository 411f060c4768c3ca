use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{
    BargeIn, RealtimeCommand, RealtimeEvent, RealtimeVersion, SessionConfig, SessionMode,
};
use realtime_client::{DialError, Direction, Ending, Link, Outbox, Received, Recorder, Target};
use realtime_wire::client::{Endpoint, handshake};
use serde_json::json;
use testkit::{Goodbye, RealtimePeer, RealtimeServer};
use transport::{Network, Trust};

/// More than most of these send.
const BACKLOG: Duration = Duration::from_millis(200);

fn target(server: &RealtimeServer) -> Target {
    let endpoint = Endpoint {
        base_url: &server.base_url(),
        version: RealtimeVersion::V2,
        model: Some("gpt-realtime-1.5"),
        query: &[],
        session_id: Some("conv_1"),
        api_key: Some("key"),
        headers: &[],
        default_headers: &[("originator".to_owned(), "duet".to_owned())],
    };
    Target {
        handshake: handshake(&endpoint).unwrap(),
        version: RealtimeVersion::V2,
        timeout: Duration::from_secs(30),
        recorder: None,
    }
}

async fn dial(server: &RealtimeServer, outbox: &Outbox) -> Result<Link, DialError> {
    Link::dial(&Network::new(Trust::System), target(server), outbox).await
}

async fn connect(outbox: &Outbox) -> (Link, RealtimePeer) {
    let server = RealtimeServer::start().await;
    let (link, peer) = tokio::join!(dial(&server, outbox), server.accept());
    (link.unwrap(), peer)
}

fn configure() -> RealtimeCommand {
    RealtimeCommand::UpdateSession(SessionConfig {
        mode: SessionMode::Conversational,
        instructions: "be brief".into(),
        voice: "marin".into(),
        barge_in: BargeIn::ByService,
    })
}

#[tokio::test]
async fn the_upgrade_names_model_key_and_session() {
    let (_link, peer) = connect(&Outbox::new(BACKLOG)).await;
    let handshake = peer.handshake();
    assert_eq!(handshake.uri, "/v1/realtime?model=gpt-realtime-1.5");
    assert_eq!(handshake.header("authorization"), Some("Bearer key"));
    assert_eq!(handshake.header("x-session-id"), Some("conv_1"));
    assert_eq!(handshake.header("originator"), Some("duet"));
}

#[tokio::test]
async fn commands_go_out_and_events_come_in() {
    let outbox = Outbox::new(BACKLOG);
    let (mut link, mut peer) = connect(&outbox).await;
    outbox.send(configure()).unwrap();
    assert_eq!(peer.open_session().await["instructions"], "be brief");
    for expected in [
        RealtimeEvent::SessionCreated { session: Some("sess_test".into()) },
        RealtimeEvent::SessionUpdated { session: Some("sess_test".into()) },
    ] {
        assert_eq!(link.next().await, Received::Event(expected));
    }
    peer.send(json!({ "type": "invented.tomorrow" })).await;
    assert_eq!(link.next().await, Received::Alive);
    peer.send_raw("{").await;
    assert!(matches!(link.next().await, Received::Strange { .. }));
    peer.send_binary(b"abc").await;
    assert!(matches!(link.next().await, Received::Strange { .. }));
    outbox.send(RealtimeCommand::CreateResponse).unwrap();
    peer.expect("response.create").await;
    let (ended, ()) = tokio::join!(link.next(), peer.finish());
    assert_eq!(ended, Received::Ended(Ending::Polite));
    assert_eq!(link.next().await, Received::Ended(Ending::Polite));
}

/// The user speaks while we dial: nothing of it is lost, and nothing comes before the
/// settings.
#[tokio::test]
async fn sound_waits_for_the_first_command() {
    let outbox = Outbox::new(BACKLOG);
    outbox.feed_sound(vec![1; 480]).await.unwrap();
    let (_link, mut peer) = connect(&outbox).await;
    outbox.feed_sound(vec![2; 480]).await.unwrap();
    outbox.send(RealtimeCommand::Text { text: "first".into() }).unwrap();
    peer.expect("conversation.item.create").await;
    peer.expect_sound(960).await;
    assert_eq!(peer.take_sound(), [vec![1; 480], vec![2; 480]]);
}

#[tokio::test]
async fn sound_waits_for_room_and_loses_nothing() {
    let outbox = Outbox::new(Duration::from_millis(40));
    let (_link, mut peer) = connect(&outbox).await;
    outbox.send(configure()).unwrap();
    let feed = async {
        for frame in 0..200 {
            outbox.feed_sound(vec![frame; 480]).await.unwrap();
        }
    };
    let listen = async {
        peer.expect("session.update").await;
        peer.expect_sound(200 * 480).await;
    };
    tokio::join!(feed, listen);
    let first: Vec<i16> = peer.take_sound().iter().map(|frame| frame[0]).collect();
    assert_eq!(first, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_waits_for_room_learns_that_the_link_ended() {
    let outbox = Outbox::new(Duration::from_millis(20));
    let (link, _peer) = connect(&outbox).await;
    outbox.feed_sound(vec![0; 480]).await.unwrap();
    let (fed, ()) = tokio::join!(outbox.feed_sound(vec![0; 480]), async { drop(link) });
    fed.unwrap_err();
    outbox.send(configure()).unwrap();
}

#[tokio::test]
async fn commands_are_bounded_and_never_dropped() {
    let outbox = Outbox::new(BACKLOG);
    let full = (0..).find(|_| outbox.send(RealtimeCommand::CreateResponse).is_err()).unwrap();
    assert_eq!(full, 256);
    let (link, mut peer) = connect(&outbox).await;
    for _ in 0..full {
        peer.expect("response.create").await;
    }
    tokio::join!(link.close(), peer.expect_goodbye());
}

#[tokio::test]
async fn a_close_says_what_waits_and_then_goodbye() {
    let outbox = Outbox::new(BACKLOG);
    let (link, mut peer) = connect(&outbox).await;
    outbox.send(configure()).unwrap();
    outbox.send(RealtimeCommand::CreateResponse).unwrap();
    let test = async {
        peer.expect("session.update").await;
        peer.expect("response.create").await;
        assert_eq!(peer.expect_goodbye().await, Goodbye::Polite(1000));
    };
    tokio::join!(link.close(), test);
}

#[tokio::test]
async fn a_service_without_manners_does_not_hold_us_up() {
    let outbox = Outbox::new(BACKLOG);
    let (link, peer) = connect(&outbox).await;
    // From here on, time passes when nothing else happens.
    tokio::time::pause();
    link.close().await;
    drop(peer);
}

#[tokio::test]
async fn a_lost_connection_is_told_apart_from_a_goodbye() {
    let (mut link, peer) = connect(&Outbox::new(BACKLOG)).await;
    peer.vanish();
    let Received::Ended(Ending::Broken { cause }) = link.next().await else { panic!() };
    assert!(cause.contains("127.0.0.1"), "{cause}");
}

#[tokio::test]
async fn a_ping_is_answered_with_life() {
    let outbox = Outbox::new(BACKLOG);
    let (mut link, mut peer) = connect(&outbox).await;
    outbox.ping().unwrap();
    outbox.send(configure()).unwrap();
    // Reading it answers the ping.
    peer.expect("session.update").await;
    peer.send(json!({ "type": "session.created" })).await;
    let (first, second) = (link.next().await, link.next().await);
    assert!([&first, &second].contains(&&Received::Alive), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_refused_key_is_named_with_its_remedy() {
    let server = RealtimeServer::start().await;
    let outbox = Outbox::new(BACKLOG);
    let (link, _) = tokio::join!(
        dial(&server, &outbox),
        server.refuse(401, r#"{"error":{"message":"no such key"}}"#)
    );
    let error = link.unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("config.toml"), "{error}");
    assert!(error.contains("no such key") && !error.contains("Bearer"), "{error}");

    let (link, _) = tokio::join!(dial(&server, &outbox), server.refuse(503, ""));
    assert!(matches!(link, Err(DialError::WebSocket(_))));
}

#[tokio::test]
async fn the_recorder_sees_both_directions_in_order() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<(Direction, String)>>);
    impl Recorder for Seen {
        fn record(&self, _at: Duration, direction: Direction, frame: &str) {
            self.0.lock().unwrap().push((direction, frame.to_owned()));
        }
    }
    let seen = Arc::new(Seen::default());
    let server = RealtimeServer::start().await;
    let outbox = Outbox::new(BACKLOG);
    let recorder: Arc<dyn Recorder> = Arc::clone(&seen) as Arc<dyn Recorder>;
    let target = Target { recorder: Some(recorder), ..target(&server) };
    let network = Network::new(Trust::System);
    let (link, mut peer) = tokio::join!(Link::dial(&network, target, &outbox), server.accept());
    let mut link = link.unwrap();
    outbox.send(RealtimeCommand::CreateResponse).unwrap();
    peer.expect("response.create").await;
    peer.send(json!({ "type": "response.created" })).await;
    assert!(matches!(link.next().await, Received::Event(_)));
    assert_eq!(
        *seen.0.lock().unwrap(),
        [
            (Direction::Out, r#"{"type":"response.create"}"#.to_owned()),
            (Direction::In, r#"{"type":"response.created"}"#.to_owned()),
        ]
    );
}
