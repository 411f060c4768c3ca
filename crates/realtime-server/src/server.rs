//! The listener, and the sessions it owns.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use realtime_wire::server as wire;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::door::{ApiKey, Exposure, check};
use crate::phrases::Phrases;
use crate::services::Services;
use crate::session::{self, LONGEST, Setup};

/// Sessions at a time. They share one set of models; more would only make all of them slow.
const MOST_SESSIONS: usize = 16;

/// One message of a client: the service's bound for sound, and JSON around it.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// What a session's model is called where the client names none.
const MODEL: &str = "duet-local";

/// How long the head of a request may take. Who says nothing holds a file descriptor.
const HEADERS: Duration = Duration::from_secs(5);

/// After a connection could not be taken: what is missing (file descriptors) may come back.
const BREATH: Duration = Duration::from_millis(100);

/// How long sessions have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0 takes any that is free.
    pub listen: SocketAddr,
    pub exposure: Exposure,
    pub api_key: ApiKey,
    /// Of the voice, 1 is its own rate. A client may change it.
    pub speed: f64,
    /// Two letters: what is spoken where a client does not say.
    pub language: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{addr} can be reached from other machines, without encryption: listen on 127.0.0.1, or \
         allow it explicitly"
    )]
    Exposed { addr: SocketAddr },
    #[error("cannot listen on {addr}: {source}; choose another port, or 0 for any")]
    Unavailable { addr: SocketAddr, source: io::Error },
}

/// A running server. Dropping it ends its sessions at once.
#[derive(Debug)]
pub struct RealtimeServer {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Options {
    pub fn new(listen: SocketAddr, api_key: ApiKey) -> Self {
        Self {
            listen,
            exposure: Exposure::ThisMachine,
            api_key,
            speed: 1.0,
            language: "en".to_owned(),
        }
    }
}

impl RealtimeServer {
    /// Listens, and serves from then on.
    pub async fn bind(options: Options, services: impl Services) -> Result<Self, BindError> {
        let addr = options.listen;
        match options.exposure {
            Exposure::ThisMachine if !addr.ip().is_loopback() => {
                return Err(BindError::Exposed { addr });
            }
            Exposure::ThisMachine | Exposure::AnyMachine => (),
        }
        let unavailable = |source| BindError::Unavailable { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(unavailable)?;
        let addr = listener.local_addr().map_err(unavailable)?;
        let stop = CancellationToken::new();
        let (entrance, arrivals) = mpsc::channel(MOST_SESSIONS);
        let places = Arc::new(Semaphore::new(MOST_SESSIONS));
        let door = Door { addr, key: options.api_key.clone(), places, entrance };
        let router = Router::new()
            .route("/v1/realtime", get(enter))
            .route("/realtime", get(enter))
            .with_state(Arc::new(door));
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, router, stop.clone()));
        let phrases = Arc::new(Phrases::new(options.speed as f32));
        let house = House { options, services: Arc::new(services), phrases };
        tasks.spawn(house.host(arrivals, stop.clone()));
        Ok(Self { addr, stop, tasks })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients connect: the base that `/realtime` is added to.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The WebSocket itself.
    pub fn url(&self) -> String {
        format!("ws://{}/v1/realtime", self.addr)
    }

    /// Says goodbye to the clients and ends.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let goodbye = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::warn!("a realtime session did not say goodbye in time");
        }
    }
}

/// Takes connections until it is told to stop. Those that became sessions are not its own.
async fn listen(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(ended) = connections.join_next() => {
                report(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let tcp = match accepted {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::warn!(%error, "the realtime server could not take a connection");
                sleep(BREATH).await;
                continue;
            }
        };
        // Small frames in both directions: waiting to fill a packet costs 40 ms each.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(tcp), service).with_upgrades();
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke before it was a session");
            }
        });
    }
}

/// A client that was let in.
struct Arrival {
    socket: WebSocket,
    kind: wire::SessionKind,
    model: String,
    place: OwnedSemaphorePermit,
}

/// What a request is looked at with.
struct Door {
    addr: SocketAddr,
    key: ApiKey,
    /// One for each session that runs or is about to.
    places: Arc<Semaphore>,
    entrance: mpsc::Sender<Arrival>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    model: Option<String>,
    intent: Option<String>,
    call_id: Option<String>,
}

async fn enter(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if let Err(away) = check(&headers, door.addr, &door.key) {
        return refuse(away.status(), away.code(), away.message());
    }
    let Asked { model, intent, call_id } = asked;
    if call_id.is_some() {
        return refuse(
            StatusCode::NOT_FOUND,
            "call_id_not_found",
            "This server has no calls to join. Connect with '?model=' for a new session.",
        );
    }
    let kind = match intent.as_deref() {
        None | Some("realtime") => wire::SessionKind::Realtime,
        Some("transcription") => wire::SessionKind::Transcription,
        Some(_) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "invalid_value",
                "Invalid 'intent': expected 'realtime' or 'transcription'.",
            );
        }
    };
    let Ok(upgrade) = upgrade else {
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            "websocket_required",
            "Connect to this address with a WebSocket.",
        );
    };
    // Taken now, so that nobody is let in only to be sent away.
    let place = Arc::clone(&door.places).try_acquire_owned().ok();
    let entrance = door.entrance.clone().try_reserve_owned().ok();
    let (Some(place), Some(entrance)) = (place, entrance) else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_sessions",
            &format!(
                "This server has room for {MOST_SESSIONS} sessions at a time, and all of them \
                 are taken. End one of them, or try again later."
            ),
        );
    };
    let model = model.filter(|it| !it.is_empty()).unwrap_or_else(|| MODEL.to_owned());
    upgrade
        .protocols(["realtime"])
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(async move |socket| {
            entrance.send(Arrival { socket, kind, model, place });
        })
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let error = json!({
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": null,
            "code": code,
        },
    });
    (status, Json(error)).into_response()
}

/// Owns the sessions.
struct House<S> {
    options: Options,
    services: Arc<S>,
    phrases: Arc<Phrases>,
}

impl<S: Services> House<S> {
    async fn host(self, mut arrivals: mpsc::Receiver<Arrival>, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        let mut preparing = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = sessions.join_next() => report(ended),
                Some(ended) = preparing.join_next() => report(ended),
                Some(arrival) = arrivals.recv() => {
                    if preparing.is_empty() {
                        let (services, phrases) = (self.services.clone(), self.phrases.clone());
                        preparing.spawn(async move { prepare(&*services, &phrases).await });
                    }
                    let (socket, setup, place) = self.set_up(arrival);
                    let session = session::run(socket, setup, stop.clone());
                    sessions.spawn(async move {
                        session.await;
                        drop(place);
                    });
                }
                else => break,
            }
        }
        while let Some(ended) = sessions.join_next().await {
            report(ended);
        }
    }

    fn set_up(&self, arrival: Arrival) -> (WebSocket, Setup<S>, OwnedSemaphorePermit) {
        let Arrival { socket, kind, model, place } = arrival;
        // The random half of a time-ordered id: short enough to read in a log.
        let id = uuid::Uuid::now_v7().simple().to_string();
        let seed = id[20..].to_owned();
        let mut session = wire::Session::new(kind, format!("sess_{seed}"), model);
        session.speed = self.options.speed;
        let ends = SystemTime::now() + LONGEST;
        session.expires_at = ends.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        let setup = Setup {
            services: Arc::clone(&self.services),
            phrases: Arc::clone(&self.phrases),
            session,
            seed,
            language: self.options.language.clone(),
        };
        (socket, setup, place)
    }
}

/// Gets ready for the first words. What fails here fails again where it is needed, and is told
/// there.
async fn prepare(services: &impl Services, phrases: &Phrases) {
    let ready = async {
        services.warm_up().await?;
        phrases.render(services).await
    };
    if let Err(error) = ready.await {
        tracing::warn!(%error, "the realtime server is not ready to speak");
    }
    // Last: the first words must not wait for it.
    if let Err(error) = services.warm_up_routes().await {
        tracing::info!(%error, "what is said while the agent works is all for the agent");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a realtime session broke");
    }
}
