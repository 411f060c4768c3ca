//! A service of the Responses API that the test plays by hand, or that plays a list.
//!
//! It is strict, as the real one is: a request that breaks the API's rules is refused *and*
//! fails the test, so does one that nobody expected. It never sleeps: a test waits for what
//! must happen, and the patience is only ever waited out by a failing one. It runs on a thread
//! of its own, so a test that blocks, or another program, is served as well.

mod http;
mod reply;
mod request;
pub mod sse;
mod story;

use std::collections::VecDeque;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::http::Connection;
pub use self::reply::{ModelCall, ModelReply, OpenReply};
pub use self::request::SeenRequest;
use self::story::Story;

/// Generous, since only a failing test waits it out, perhaps on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that may wait for the test. More at once is a runaway client.
const WAITING: usize = 64;

/// A server that the test steps: each request waits for [`ModelServer::expect_request`] and
/// then for the reply that the test gives it.
///
/// A request that the test never expected fails it when the server is dropped.
#[derive(Debug)]
pub struct ModelServer {
    service: Service,
    arrivals: mpsc::Receiver<ModelCall>,
    /// Requests that the test has taken.
    taken: usize,
}

impl ModelServer {
    pub fn start() -> Self {
        let (arrived, arrivals) = mpsc::channel(WAITING);
        Self { service: Service::start(Conduct::Stepped(arrived)), arrivals, taken: 0 }
    }

    /// What goes into a provider's `base_url`.
    pub fn base_url(&self) -> String {
        self.service.base_url()
    }

    /// Waits for the client's next request.
    #[track_caller]
    pub fn expect_request(&mut self) -> impl Future<Output = ModelCall> {
        let test = Location::caller();
        let limit = self.service.patience();
        async move {
            tokio::select! {
                biased;
                call = self.arrivals.recv() => match call {
                    Some(call) => {
                        self.taken += 1;
                        call
                    }
                    None => self.service.story.fail(test, "the server stopped"),
                },
                () = limit => self.service.story.fail(test, "expected a request, but none came"),
            }
        }
    }

    /// Every request so far, expected or not, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.service.story.requests()
    }

    /// Waits until `count` requests have come, taken by the test or not.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) -> impl Future<Output = Vec<SeenRequest>> {
        self.service.wait_for_requests(Location::caller(), count)
    }

    /// Checks that nothing was asked that the test did not expect.
    #[track_caller]
    pub fn finish(self) {
        self.check(Location::caller());
    }

    fn check(&self, test: &Location<'_>) {
        self.service.story.fail_on_problems(test);
        if let Some(request) = self.requests().get(self.taken) {
            self.service.story.fail(test, &format!("did not expect {request}"));
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check(Location::caller());
        }
    }
}

/// A server that plays a fixed list, one reply a request, without the test stepping it.
///
/// A request beyond the list is answered with status 500 and fails the test when the server
/// is dropped.
#[derive(Debug)]
pub struct ModelScript {
    service: Service,
}

impl ModelScript {
    pub fn start(replies: impl IntoIterator<Item = ModelReply>) -> Self {
        let replies: VecDeque<ModelReply> = replies.into_iter().collect();
        let count = replies.len();
        let service = Service::start(Conduct::Scripted(replies));
        service.story.set_replies_left(count);
        Self { service }
    }

    /// What goes into a provider's `base_url`.
    pub fn base_url(&self) -> String {
        self.service.base_url()
    }

    /// Every request so far, oldest first. A request is here before its reply is on the wire.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.service.story.requests()
    }

    /// Waits until `count` requests have come, and returns them all.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) -> impl Future<Output = Vec<SeenRequest>> {
        self.service.wait_for_requests(Location::caller(), count)
    }

    /// Checks that every reply was asked for, and nothing more.
    #[track_caller]
    pub fn finish(self) {
        let test = Location::caller();
        self.service.story.fail_on_problems(test);
        let left = self.service.story.replies_left();
        if left > 0 {
            self.service.story.fail(test, &format!("{left} replies were never asked for"));
        }
    }
}

impl Drop for ModelScript {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.service.story.fail_on_problems(Location::caller());
        }
    }
}

/// Who answers.
#[derive(Debug)]
enum Conduct {
    Stepped(mpsc::Sender<ModelCall>),
    Scripted(VecDeque<ModelReply>),
}

/// The listener's thread and what it saw.
#[derive(Debug)]
struct Service {
    address: SocketAddr,
    story: Arc<Story>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    fn start(conduct: Conduct) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let story = Arc::new(Story::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("model-server".into()).spawn({
            let story = Arc::clone(&story);
            move || {
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener).unwrap();
                    tokio::select! {
                        () = serve(listener, conduct, story) => (),
                        // Also when the sender is gone: the server was dropped.
                        _ = stopped => (),
                    }
                });
            }
        });
        let (stop, thread) = (Some(stop), Some(thread.unwrap()));
        Self { address, story, runtime: handle, stop, thread }
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn wait_for_requests(
        &self,
        test: &'static Location<'static>,
        count: usize,
    ) -> impl Future<Output = Vec<SeenRequest>> {
        let limit = self.patience();
        async move {
            tokio::select! {
                biased;
                requests = self.story.wait_for_requests(count) => requests,
                () = limit => self.story.fail(test, &format!("expected {count} requests")),
            }
        }
    }

    /// By the server's clock, since the test's may be paused.
    fn patience(&self) -> impl Future<Output = ()> + use<> {
        let _inside = self.runtime.enter();
        tokio::time::sleep(PATIENCE)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was printed by the hook; a second one here would abort the test.
            drop(thread.join());
        }
    }
}

/// Accepts connections, reads one request at a time from each, and has it answered.
async fn serve(listener: TcpListener, conduct: Conduct, story: Arc<Story>) {
    let (returned, mut idle) = mpsc::channel::<Connection>(WAITING);
    let mut reading = JoinSet::new();
    let mut replying = JoinSet::new();
    let mut conduct = conduct;
    let mut numbers = 0..;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted.unwrap();
                socket.set_nodelay(true).unwrap();
                let number = numbers.next().unwrap();
                reading.spawn(Connection::new(number, socket).read_request());
            }
            Some(connection) = idle.recv() => {
                reading.spawn(connection.read_request());
            }
            Some(read) = reading.join_next() => {
                let (connection, request) = match read.unwrap() {
                    Ok(Some(read)) => read,
                    Ok(None) => continue,
                    Err(broken) => {
                        story.problem(format!("the client sent {broken}"));
                        continue;
                    }
                };
                story.heard(&request);
                let refusal = request.check().err();
                let call = ModelCall::new(
                    request,
                    connection,
                    Arc::clone(&story),
                    returned.clone(),
                );
                if let Some(refusal) = refusal {
                    story.problem(format!("{} is not a valid request: {refusal}", call.request()));
                    let body = json!({ "error": {
                        "type": "invalid_request_error", "code": null, "param": null, "message": refusal
                    }});
                    replying.spawn(call.reply(ModelReply::error(400, body)));
                    continue;
                }
                match &mut conduct {
                    Conduct::Stepped(arrived) => {
                        // The test may have finished and left: then its check comes too.
                        if arrived.try_send(call).is_err() {
                            story.problem("more requests than the test can take");
                        }
                    }
                    Conduct::Scripted(replies) => {
                        let reply = replies.pop_front().unwrap_or_else(|| {
                            story.problem(format!("the script has no reply to {}", call.request()));
                            let message = "the script is over";
                            ModelReply::error(500, json!({ "error": { "message": message } }))
                        });
                        story.set_replies_left(replies.len());
                        replying.spawn(call.reply(reply));
                    }
                }
            }
            Some(replied) = replying.join_next() => replied.unwrap(),
        }
    }
}
