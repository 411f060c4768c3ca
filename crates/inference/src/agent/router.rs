//! What is said while the agent works: for whom it is, as the agent's own model says.
//!
//! It says so in a small context of its own, on a thread of its own, so that the agent's running
//! generation and its state are untouched. All but the words is computed once, and kept.
//!
//! It is never waited for: while the model is not loaded, or what comes before the words is not
//! computed yet, everything is for the agent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::engine::{Engine, EngineError};
use super::grammar::KIND_OPENS;
use super::prefix_cache::PrefixCache;
use super::render::Prompt;
use crate::scheduler::{Cancel, Priority, Scheduler};
use crate::wire::Failure;
use crate::{Model, Route};

/// The rules and examples, [`LONGEST`] words and what stands around them.
const CONTEXT: u32 = 768;

/// Tokens of an utterance, about forty words: a second of reading. Nobody asks at greater length
/// what is going on.
const LONGEST: usize = 64;

/// How much more likely than work a kind has to be, as a natural logarithm: five times. What is
/// wrongly taken for work is answered late, what is wrongly taken for talk is lost
/// (`docs/decisions/0008-what-is-said-while-the-agent-works.md`).
const SURELY: f32 = 1.6;

/// Questions that wait. A session asks one at a time.
const MAX_WAITING: usize = 16;

/// The way to the router, which opens when it is ready.
#[derive(Debug, Default)]
pub(crate) struct Router {
    /// Held to look, never while anybody computes.
    jobs: Mutex<Option<SyncSender<RouteJob>>>,
}

#[derive(Debug)]
struct RouteJob {
    words: String,
    cancel: Cancel,
    answer: SyncSender<Result<Route, Failure>>,
}

impl Router {
    /// For whom the words are. When it was cancelled, nobody wants to know.
    pub(crate) fn route(&self, words: String, cancel: &Cancel) -> Result<Route, Failure> {
        let Some(jobs) = self.lock().clone() else { return Ok(Route::Work) };
        let (answer, answered) = mpsc::sync_channel(1);
        match jobs.try_send(RouteJob { words, cancel: cancel.clone(), answer }) {
            Ok(()) => answered.recv().unwrap_or(Ok(Route::Work)),
            Err(TrySendError::Full(_)) => Err(Failure::Busy { jobs: MAX_WAITING as u32 }),
            Err(TrySendError::Disconnected(_)) => Ok(Route::Work),
        }
    }

    /// For one load of the model; nobody gets in before [`Opening::serve`] is ready.
    pub(super) fn opening<'r>(&'r self, scheduler: &'r Scheduler) -> Opening<'r> {
        Opening { router: self, scheduler, over: Cancel::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SyncSender<RouteJob>>> {
        // No code that can panic runs under the lock.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The router while a model is loaded.
#[derive(Debug)]
pub(super) struct Opening<'r> {
    router: &'r Router,
    scheduler: &'r Scheduler,
    over: Cancel,
}

/// Ends [`Opening::serve`] when it is dropped.
#[derive(Debug)]
pub(super) struct Closing<'o>(&'o Opening<'o>);

impl Opening<'_> {
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    /// Serves until it is closed. Without it everything is for the agent, so what goes wrong is
    /// told in the log alone.
    pub(super) fn serve(
        &self,
        backend: &LlamaBackend,
        model: &LlamaModel,
        threads: u32,
        cache: PrefixCache,
    ) {
        let served = AssertUnwindSafe(|| {
            let engine = Engine::new(backend, model, threads, CONTEXT, cache)?;
            self.serve_by(engine)
        });
        match catch_unwind(served) {
            Ok(Ok(()) | Err(EngineError::Cancelled)) => {}
            Ok(Err(error @ EngineError::Failed(_))) => eprintln!("model host: the router: {error}"),
            Err(_panic) => eprintln!("model host: the router broke down"),
        }
    }

    fn serve_by(&self, mut engine: Engine<'_>) -> Result<(), EngineError> {
        let rules = engine.tokenize(&Prompt::of_route("").prefix);
        let mut turn = self.scheduler.enter(Priority::Ahead, &self.over)?;
        engine.prompt(&rules, rules.len(), &mut turn)?;
        drop(turn);
        let Some(jobs) = self.let_in() else { return Ok(()) };
        while let Ok(RouteJob { words, cancel, answer }) = jobs.recv() {
            let routed = match self.route(&mut engine, &rules, &words, &cancel) {
                Ok(route) => Ok(route),
                // Nobody listens.
                Err(EngineError::Cancelled) => continue,
                Err(error @ EngineError::Failed(_)) => {
                    Err(Failure::Model { model: Model::Agent, message: error.to_string() })
                }
            };
            // Whoever left does not want it.
            drop(answer.send(routed));
        }
        Ok(())
    }

    fn route(
        &self,
        engine: &mut Engine<'_>,
        rules: &[LlamaToken],
        words: &str,
        cancel: &Cancel,
    ) -> Result<Route, EngineError> {
        let mut asked = engine.tokenize(&Prompt::of_route(words).talk);
        if LONGEST < asked.len() {
            return Ok(Route::Work);
        }
        asked.extend(engine.tokenize_forced(KIND_OPENS.as_bytes()));
        let mut turn = self.scheduler.enter(Priority::Route, cancel)?;
        engine.rewind(rules.len())?;
        if engine.position() < rules.len() {
            // The state was lost with a step that failed.
            engine.prompt(rules, rules.len(), &mut turn)?;
        }
        engine.feed(&asked, &mut turn)?;
        // Each kind begins with a token that no other begins with.
        let begins = |it: &str| engine.tokenize_forced(it.as_bytes()).first().copied();
        let kinds = [Route::Status, Route::Repeat, Route::Work];
        let [Some(status), Some(repeat), Some(work)] = kinds.map(|it| begins(it.as_str())) else {
            return Err(EngineError::Failed("it has no word for a kind".to_owned()));
        };
        Ok(surely(engine.likelihoods([status, repeat, work])))
    }

    /// From here on words come in, unless it was closed meanwhile.
    fn let_in(&self) -> Option<Receiver<RouteJob>> {
        let (jobs, waiting) = mpsc::sync_channel(MAX_WAITING);
        let mut door = self.router.lock();
        if self.over.is_set() {
            return None;
        }
        *door = Some(jobs);
        Some(waiting)
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.scheduler.cancel(&self.0.over);
        *self.0.router.lock() = None;
    }
}

fn surely([status, repeat, work]: [f32; 3]) -> Route {
    let (route, likelihood) =
        if repeat < status { (Route::Status, status) } else { (Route::Repeat, repeat) };
    if SURELY <= likelihood - work { route } else { Route::Work }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sure_is_work() {
        assert_eq!(surely([3.0, 0.0, 0.0]), Route::Status);
        assert_eq!(surely([1.7, 2.9, 1.0]), Route::Repeat);
        assert_eq!(surely([1.0, 0.0, 0.0]), Route::Work);
        assert_eq!(surely([1.0, 1.5, 0.0]), Route::Work);
        assert_eq!(surely([f32::NEG_INFINITY; 3]), Route::Work);
    }

    /// Nobody waits for a model that is not there yet.
    #[test]
    fn while_it_is_closed_everything_is_work() {
        let (router, scheduler) = (Router::default(), Scheduler::default());
        let ask = || router.route("What are you doing?".to_owned(), &Cancel::default());
        assert_eq!(ask(), Ok(Route::Work));
        let opening = router.opening(&scheduler);
        let jobs = opening.let_in().unwrap();
        std::thread::scope(|scope| {
            let _closing = opening.closing();
            let asked = scope.spawn(ask);
            let RouteJob { words, cancel: _, answer } = jobs.recv().unwrap();
            assert_eq!(words, "What are you doing?");
            answer.send(Ok(Route::Status)).unwrap();
            assert_eq!(asked.join().unwrap(), Ok(Route::Status));
        });
        assert_eq!(ask(), Ok(Route::Work));
        assert!(opening.let_in().is_none(), "it opens no more");
    }
}
