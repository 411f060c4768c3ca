//! The thread that owns the agent's model: takes jobs in turn and answers each.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use protocol::{ModelRequest, ToolChoice};

use super::copying::{Copying, Hesitation};
use super::engine::{CONTEXT, Choice, Engine, EngineError};
use super::grammar::{Grammar, kind_text};
use super::matcher::Matcher;
use super::offer::{Asked, Kind, Withheld};
use super::prefix_cache::{PrefixCache, fingerprint};
use super::render::Prompt;
use super::reply::{self, Answer, answer_is_full, answer_repeats};
use super::router::Router;
use crate::Model;
use crate::scheduler::{Cancel, Cancelled, Priority, Scheduler, Turn};
use crate::wire::{Failure, Reply};

/// A file that is written again as a whole. More than two minutes of writing help nobody.
const MAX_OUTPUT: usize = 1_536;
/// Left for the reply when the prompt is as long as it may be.
const RESERVED: usize = 512;
/// Where a text is cut short so that the reply can still be closed.
const CLOSING: usize = 64;
/// No tokenizer makes fewer tokens of text than a sixteenth of its bytes; what is longer than
/// this need not be looked at.
const MAX_PROMPT_BYTES: usize = CONTEXT as usize * 16;
/// A call that was already made is written anew without its tool; with as many tools as this
/// gone, it stands.
const MAX_REWRITES: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct AgentOptions {
    pub(crate) file: PathBuf,
    pub(crate) cache_dir: PathBuf,
    pub(crate) threads: u32,
}

pub(crate) struct AgentJob {
    pub(crate) work: Work,
    /// Holds more than one job can say, so that a slow reader never stops the cores.
    pub(crate) replies: SyncSender<Reply>,
    pub(crate) cancel: Cancel,
}

pub(crate) enum Work {
    /// Loads the model.
    Load,
    Generate(ModelRequest),
}

/// Serves until nobody can send jobs any more. Loads the model for the first job; where that
/// fails the next one tries again, because the file may have come since.
pub(crate) fn run(
    options: &AgentOptions,
    scheduler: &Scheduler,
    router: &Router,
    jobs: &Receiver<AgentJob>,
) {
    let mut backend = None;
    while let Ok(job) = jobs.recv() {
        match load(options, &mut backend, &job) {
            Ok((backend, model, cache)) => {
                let threads = options.threads;
                match Engine::new(backend, &model, threads, CONTEXT, cache.clone()) {
                    Ok(engine) => {
                        let mut worker =
                            Worker { engine, scheduler, calls: Calls::new(), kind: None };
                        let routing = router.opening(scheduler);
                        return thread::scope(|scope| {
                            let _closing = routing.closing();
                            let serve = || routing.serve(backend, &model, threads, cache);
                            let router = thread::Builder::new().name("router".to_owned());
                            if let Err(error) = router.spawn_scoped(scope, serve) {
                                eprintln!("model host: no thread for the router: {error}");
                            }
                            worker.answer(job);
                            while let Ok(job) = jobs.recv() {
                                worker.answer(job);
                            }
                        });
                    }
                    Err(error) => job.say(failed(model_failed(error))),
                }
            }
            Err(failure) => job.say(failed(failure)),
        }
    }
}

struct Worker<'m> {
    engine: Engine<'m>,
    scheduler: &'m Scheduler,
    calls: Calls,
    /// Of the last request: the prompt up to the user's last words, and what these are.
    kind: Option<(Vec<LlamaToken>, Kind)>,
}

/// Why a job ended without an answer.
enum Stop {
    Cancelled,
    Failed(Failure),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Cancelled => Self::Cancelled,
            EngineError::Failed(_) => Self::Failed(model_failed(error)),
        }
    }
}

impl From<Cancelled> for Stop {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl Worker<'_> {
    fn answer(&mut self, job: AgentJob) {
        let done = match &job.work {
            Work::Load => Ok(()),
            Work::Generate(request) => self.generate(request, &job),
        };
        match done {
            Ok(()) => job.say(Reply::Done),
            // Nobody listens.
            Err(Stop::Cancelled) => {}
            Err(Stop::Failed(failure)) => job.say(failed(failure)),
        }
    }

    fn generate(&mut self, request: &ModelRequest, job: &AgentJob) -> Result<(), Stop> {
        let asked = Asked::in_turn(request);
        let scheduler = self.scheduler;
        let mut turn = scheduler.enter(Priority::Agent, &job.cancel)?;
        let (kind, known) = self.kind(request, &mut turn, job)?;
        let (prefix, talk) = self.tokens(&Prompt::of(request, kind))?;
        let mut prompt = [prefix.as_slice(), &talk].concat();
        let prefix = prefix.len();
        let mut withheld = Withheld::at_this_step(request, &asked, kind);

        // How every reply begins is computed together with the prompt.
        let opening = opening(&self.engine, request, &withheld)?;
        let start = prompt.len();
        prompt.extend_from_slice(&opening.tokens);
        let cached = self.engine.prompt(&prompt, prefix, &mut turn)?;
        // What was computed a moment ago, for this request, was not known before it.
        let cached = known.unwrap_or(cached);

        let mut output = 0;
        for rewrite in 0.. {
            let mut copying = Copying::new(request);
            let grammar = grammar(request, &withheld)?;
            let mut answer = Answer::default();
            let written = self.write(
                &grammar,
                &opening.bytes,
                &mut copying,
                &mut answer,
                &mut output,
                &mut turn,
                job,
            )?;
            let Some(reply) = reply::Reply::parse(&written, &request.tools) else {
                return Err(Stop::Failed(model_failed(EngineError::Failed(format!(
                    "it wrote something that is no reply: {}",
                    String::from_utf8_lossy(&written)
                )))));
            };
            match reply {
                reply::Reply::Answer => job.say(Reply::Message { text: answer.into_text() }),
                reply::Reply::Call { name, arguments } => {
                    if asked.contains(&name, &arguments) && rewrite < MAX_REWRITES {
                        withheld.withhold(name);
                        self.engine.rewind(prompt.len() - 1)?;
                        self.engine.feed(&prompt[prompt.len() - 1..], &mut turn)?;
                        continue;
                    }
                    job.say(Reply::ToolCall { call: self.calls.next(), name, arguments });
                }
            }
            break;
        }
        job.say(Reply::Usage {
            input_tokens: start as u64,
            cached_input_tokens: cached.min(start) as u64,
            output_tokens: output as u64,
        });
        Ok(())
    }

    /// What the user's last words are, said once for them; and how much of the prompt was known
    /// where that had to be computed.
    fn kind(
        &mut self,
        request: &ModelRequest,
        turn: &mut Turn<'_>,
        job: &AgentJob,
    ) -> Result<(Kind, Option<usize>), Stop> {
        if request.tool_choice == ToolChoice::None || request.tools.is_empty() {
            // Nothing depends on it.
            return Ok((Kind::Question, None));
        }
        if let Some(kind) = Kind::by_first_words(request) {
            return Ok((kind, None));
        }
        let (shared, talk) = self.tokens(&Prompt::of_kind(request))?;
        let prefix = shared.len();
        let mut prompt = [shared, talk].concat();
        if let Some((words, kind)) = &self.kind
            && *words == prompt
        {
            return Ok((*kind, None));
        }
        let words = prompt.clone();
        let grammar = Grammar::of_kind();
        let opening = Forced::of(&self.engine, &Matcher::new(&grammar));
        prompt.extend_from_slice(&opening.tokens);
        let cached = self.engine.prompt(&prompt, prefix, turn)?;
        let (mut nothing, mut output) = (Answer::default(), 0);
        let mut copying = Copying::none();
        let written = self.write(
            &grammar,
            &opening.bytes,
            &mut copying,
            &mut nothing,
            &mut output,
            turn,
            job,
        )?;
        let said = |it: &Kind| kind_text(it.as_str()).as_bytes() == written;
        let kind = Kind::ALL.into_iter().find(said).unwrap_or(Kind::Question);
        let known = cached.min(words.len());
        self.kind = Some((words, kind));
        Ok((kind, Some(known)))
    }

    /// Writes one reply that begins with `opening`, which the context already holds.
    #[expect(clippy::too_many_arguments, reason = "one loop over one reply")]
    fn write(
        &mut self,
        grammar: &Grammar,
        opening: &[u8],
        copying: &mut Copying<(LlamaToken, Vec<u8>)>,
        answer: &mut Answer,
        output: &mut usize,
        turn: &mut Turn<'_>,
        job: &AgentJob,
    ) -> Result<Vec<u8>, Stop> {
        let mut matcher = Matcher::new(grammar);
        let mut written = opening.to_vec();
        matcher.advance(opening);
        let mut cut = false;
        loop {
            let forced = Forced::of(&self.engine, &matcher);
            matcher.advance(&forced.bytes);
            written.extend_from_slice(&forced.bytes);
            let choice = if matcher.must_end() {
                Choice::End
            } else {
                self.engine.feed(&forced.tokens, turn)?;
                self.note_hesitation(copying, &matcher, &written);
                self.engine.choose(&matcher)
            };
            let (token, bytes) = match choice {
                Choice::Token(token, bytes) => (token, bytes),
                Choice::End if cut => break,
                Choice::End => {
                    let position = self.engine.position();
                    let room = (CONTEXT as usize - CLOSING).saturating_sub(position);
                    let room = room.min(MAX_OUTPUT.saturating_sub(*output));
                    let back = copying.turn_back(&written, position, room);
                    let Some(place) = back else { break };
                    self.engine.rewind(place.position)?;
                    written.truncate(place.written);
                    matcher = Matcher::new(grammar);
                    matcher.advance(&written);
                    place.instead
                }
                Choice::Nothing => {
                    return Err(EngineError::Failed("it has no word that fits".to_owned()).into());
                }
            };
            *output += 1;
            matcher.advance(&bytes);
            written.extend_from_slice(&bytes);
            job.say_more(answer.next(&written));
            let room = (CONTEXT as usize).saturating_sub(self.engine.position());
            let repeats = repeats_itself(&written) || answer_repeats(&written);
            if *output >= MAX_OUTPUT || room <= CLOSING || repeats {
                matcher.hurry();
                cut = true;
            }
            if room <= 1 {
                return Err(EngineError::Failed("its context is full".to_owned()).into());
            }
            if !matcher.must_end() {
                self.engine.feed(&[token], turn)?;
            }
        }
        job.say_more(answer.rest(&written, cut || answer_is_full(&written)));
        Ok(written)
    }

    fn note_hesitation(
        &self,
        copying: &mut Copying<(LlamaToken, Vec<u8>)>,
        matcher: &Matcher<'_>,
        written: &[u8],
    ) {
        if copying.follows(written)
            && let Some((instead, gap)) =
                self.engine.beside(matcher, |bytes| copying.leaves(written, bytes))
        {
            let position = self.engine.position();
            copying.note(Hesitation { written: written.len(), position, instead, gap });
        }
    }

    /// The shared beginning and the rest, if they fit.
    fn tokens(&self, prompt: &Prompt) -> Result<(Vec<LlamaToken>, Vec<LlamaToken>), Stop> {
        let limit = CONTEXT as usize - RESERVED;
        let too_long = |tokens: usize| {
            Stop::Failed(Failure::TooLong { tokens: tokens as u64, limit: limit as u64 })
        };
        if prompt.bytes() > MAX_PROMPT_BYTES {
            return Err(too_long(prompt.bytes() / 4));
        }
        let prefix = self.engine.tokenize(&prompt.prefix);
        let talk = self.engine.tokenize(&prompt.talk);
        let tokens = prefix.len() + talk.len();
        if tokens > limit { Err(too_long(tokens)) } else { Ok((prefix, talk)) }
    }
}

/// What must be written next, as bytes and as the tokens the model would have used.
struct Forced {
    bytes: Vec<u8>,
    tokens: Vec<LlamaToken>,
}

impl Forced {
    fn of(engine: &Engine<'_>, matcher: &Matcher<'_>) -> Self {
        let mut bytes = matcher.forced();
        let mut after = matcher.clone();
        after.advance(&bytes);
        if after.must_end() {
            // Nothing comes after it, so nothing need be computed.
            return Self { bytes, tokens: Vec::new() };
        }
        let mut tokens = engine.tokenize_forced(&bytes);
        // The last token might have been a longer one together with what comes next, and the
        // model would not expect its half. After a quote it never is.
        if bytes.last() != Some(&b'"')
            && let Some(last) = tokens.pop()
        {
            bytes.truncate(bytes.len().saturating_sub(engine.bytes(last).len()));
        }
        Self { bytes, tokens }
    }
}

fn opening(
    engine: &Engine<'_>,
    request: &ModelRequest,
    withheld: &Withheld,
) -> Result<Forced, Stop> {
    let grammar = grammar(request, withheld)?;
    Ok(Forced::of(engine, &Matcher::new(&grammar)))
}

fn grammar(request: &ModelRequest, withheld: &Withheld) -> Result<Grammar, Stop> {
    Grammar::of_reply(&request.tools, request.tool_choice, withheld)
        // A tool is required and all are withheld: better the same again than nothing.
        .or_else(|| Grammar::of_reply(&request.tools, request.tool_choice, &Withheld::default()))
        .ok_or_else(|| {
            Stop::Failed(Failure::Rejected {
                message: "a tool call is required, but the request has no tool that can be called"
                    .to_owned(),
            })
        })
}

/// A greedy model that says the same thing three times says it forever.
fn repeats_itself(written: &[u8]) -> bool {
    /// Code has runs of equal lines that mean something; they are shorter.
    const LONG_ENOUGH: usize = 240;
    const TIMES: usize = 4;
    (1..=LONG_ENOUGH).any(|period| {
        let long = LONG_ENOUGH.max(period * TIMES);
        let Some(from) = written.len().checked_sub(long) else { return false };
        let tail = &written[from..];
        tail[period..] == tail[..long - period]
    })
}

impl AgentJob {
    fn say_more(&self, delta: String) {
        if !delta.is_empty() {
            self.say(Reply::TextDelta { delta });
        }
    }

    fn say(&self, reply: Reply) {
        // A full queue cannot be, see `replies`; a closed one is a client that left.
        drop(self.replies.try_send(reply));
    }
}

/// Names of calls, unique among all hosts.
struct Calls {
    start: u128,
    made: u64,
}

impl Calls {
    fn new() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: start.as_micros(), made: 0 }
    }

    fn next(&mut self) -> String {
        self.made += 1;
        format!("call_{:x}_{}", self.start, self.made)
    }
}

type Loaded<'b> = (&'b LlamaBackend, LlamaModel, PrefixCache);

fn load<'b>(
    options: &AgentOptions,
    backend: &'b mut Option<LlamaBackend>,
    job: &AgentJob,
) -> Result<Loaded<'b>, Failure> {
    let lacking = lacking_features();
    if !lacking.is_empty() {
        return Err(Failure::UnsupportedProcessor { lacking: lacking.join(", ") });
    }
    let file = &options.file;
    let unusable = |reason: String| Failure::ModelUnusable { file: file.clone(), reason };
    let model = fingerprint(file).map_err(|error| missing(file, &error))?;
    let backend = match backend {
        Some(backend) => backend,
        None => {
            let mut started = LlamaBackend::init()
                .map_err(|error| model_failed(EngineError::Failed(error.to_string())))?;
            started.void_logs();
            backend.insert(started)
        }
    };
    let (replies, last) = (job.replies.clone(), Cell::new(-1.0_f32));
    let progress = move |done: f32| {
        // A hundred steps are enough for a bar.
        if done - last.get() >= 0.01 {
            last.set(done);
            drop(replies.try_send(Reply::Loading { model: Model::Agent, done }));
        }
    };
    let weights = super::engine::load(backend, file, progress)
        .map_err(|error| unusable(error.to_string()))?;
    Ok((backend, weights, PrefixCache::new(options.cache_dir.clone(), model)))
}

/// What llama.cpp was compiled to use, and this processor does not have.
fn lacking_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        [
            ("AVX2", is_x86_feature_detected!("avx2")),
            ("FMA", is_x86_feature_detected!("fma")),
            ("F16C", is_x86_feature_detected!("f16c")),
            ("BMI2", is_x86_feature_detected!("bmi2")),
        ]
        .into_iter()
        .filter_map(|(name, has)| (!has).then_some(name))
        .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Vec::new()
    }
}

fn missing(file: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::ModelMissing { file: file.to_owned() },
        _ => Failure::ModelUnusable { file: file.to_owned(), reason: error.to_string() },
    }
}

fn model_failed(error: EngineError) -> Failure {
    Failure::Model { model: Model::Agent, message: error.to_string() }
}

fn failed(failure: Failure) -> Reply {
    Reply::Failed { failure }
}
