//! `duet demo`: the main job on a sample repository, and whether it was done.

use std::fs;
use std::path::Path;

use audio_dsp::{DUET_HZ, Resampler, SPEECH_HZ, f32_from_pcm16, f32_to_pcm16};
use audio_io::WavReader;
use config::{LOCAL, Override};
use headless::{
    Exit, Input, Manners, Output, Sample, Server, TalkFormat, TalkReport, TestRun, ThreadArgs,
    names_in, talk_capabilities, test_run, utterances,
};
use inference::TranscribeOptions;
use models::{File, Machine};
use protocol::ThreadId;
use rollout::Store;
use tempfile::TempDir;

use crate::args::DemoArgs;
use crate::exec::{console, utf8};
use crate::failure::Failure;
use crate::models::{WHAT_IT_CAN, fetch};
use crate::services::{Services, VERSION};
use crate::signals::Signals;

/// "Run the tests and tell me what fails." Where it comes from is in `assets/demo/README.md`.
const REQUEST: &[u8] = include_bytes!("../../../assets/demo/request.wav");

/// The demo shows this machine's own models, whatever keys are in the environment.
pub(crate) fn overrides() -> Result<Vec<Override>, Failure> {
    [("model_provider", LOCAL), ("realtime.provider", LOCAL)]
        .into_iter()
        .map(|(key, value)| Override::set(key, value).map_err(Failure::other))
        .collect()
}

/// A directory that is gone when it is dropped.
pub(crate) fn temporary() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("duet-demo-")
        .tempdir()
        .map_err(|error| Failure::other(format!("cannot make a temporary directory: {error}")))
}

/// Whatever happens, its verdict is on standard output; only who stops it gets none.
pub(crate) async fn run(args: DemoArgs, services: Services) -> Result<Exit, Failure> {
    let shown = show(args, services).await;
    if let Err(failure) = &shown {
        match failure.exit() {
            Exit::Failed | Exit::NothingDone => {
                println!("demo FAILED: there is nothing to judge, for the reason below");
            }
            Exit::Done | Exit::Misused | Exit::Interrupted | Exit::Terminated => {}
        }
    }
    shown
}

async fn show(args: DemoArgs, services: Services) -> Result<Exit, Failure> {
    let DemoArgs { output } = args;
    // People look for it, perhaps from another directory than the demo was started in.
    let output = std::path::absolute(&output)
        .map_err(|error| Failure::other(format!("cannot find {}: {error}", output.display())))?;
    eprintln!("{WHAT_IT_CAN}\n");
    let mut signals = Signals::listen()?;
    let models: Vec<&File> = services.manifest.set("default").collect();
    if !services.shelf.missing(models.iter().copied()).is_empty() {
        Machine::probe(services.shelf.dir())
            .can_run()
            .map_err(|unfit| Failure::Impossible(unfit.to_string()))?;
    }
    let fetched = tokio::select! {
        fetched = fetch(&services.shelf, &models, None) => fetched?,
        Some(signal) = signals.received.recv() => {
            eprintln!("interrupted; the next `duet demo` goes on fetching where it was");
            signal.into()
        }
    };
    if fetched != Exit::Done {
        return Ok(fetched);
    }
    let dir = temporary()?;
    let sample = Sample::create(&dir.path().join("settings")).map_err(Failure::other)?;
    let input = dir.path().join("request.wav");
    fs::write(&input, REQUEST)
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", input.display())))?;

    let pace = services.pace();
    let (store, ears) = (Store::new(services.home.path()), services.local.clone());
    let mut served = services.serve();
    let connection = served.connect("demo");
    let talk = async {
        let server = Server::greet(connection, "duet-demo", VERSION, talk_capabilities()).await?;
        let thread = ThreadArgs { cwd: Some(utf8(&sample.dir)?), ..ThreadArgs::default() };
        let args = headless::TalkArgs {
            thread,
            input: Input::Wav(input),
            output: Output::Wav(output.clone()),
            format: TalkFormat::People { captions: true },
            pace,
            manners: Manners::Waits,
        };
        let report = headless::talk(server, args, &mut console(), &mut signals.received).await?;
        Ok::<TalkReport, Failure>(report)
    };
    let report = talk.await;
    signals.or_leave(served.shutdown()).await;
    let report = report?;
    if let Some(verdict) = without_answer(report.exit) {
        println!("{verdict}");
    }
    if report.exit != Exit::Done {
        return Ok(report.exit);
    }

    let verdict = Verdict {
        failing_test: sample.failing_test,
        run: proof(&store, &report, sample.failing_test)?,
        heard: listen(&ears, &output).await?,
    };
    println!("{}", verdict.sentence());
    Ok(if verdict.is_good() { Exit::Done } else { Exit::Failed })
}

/// The verdict where there is nothing to judge. None where there is, or where somebody did not
/// want one.
fn without_answer(exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::Failed => Some(
            "demo FAILED: the agent did not come to an end with its work, for the reason above",
        ),
        Exit::NothingDone => Some(
            "demo FAILED: everything the agent wanted to do was refused, for the reason above; \
             without a sandbox nothing is run",
        ),
        Exit::Done | Exit::Misused | Exit::Interrupted | Exit::Terminated => None,
    }
}

struct Verdict {
    failing_test: &'static str,
    run: Option<TestRun>,
    /// What our own ears made of the spoken answer.
    heard: String,
}

impl Verdict {
    fn names_the_test(&self) -> bool {
        names_in(&self.heard, self.failing_test)
    }

    fn is_good(&self) -> bool {
        self.run.is_some() && self.names_the_test()
    }

    fn sentence(&self) -> String {
        let Self { failing_test, run, heard } = self;
        let ran = match run {
            Some(TestRun { command, exit_code: Some(code) }) => {
                format!("`{command}` really ran (exit code {code})")
            }
            Some(TestRun { command, exit_code: None }) => format!("`{command}` really ran"),
            None => "the tests did not run".to_owned(),
        };
        let named = if self.names_the_test() { "names" } else { "does not name" };
        let word = if self.is_good() { "passed" } else { "FAILED" };
        format!("demo {word}: {ran}, and the spoken answer {named} {failing_test}: \"{heard}\"")
    }
}

/// What the thread's log says about the tests.
fn proof(
    store: &Store,
    report: &TalkReport,
    failing_test: &str,
) -> Result<Option<TestRun>, Failure> {
    let thread = ThreadId::from(report.thread.thread.id.as_str());
    let session = store.read(&thread).map_err(Failure::other)?;
    Ok(test_run(session.turns.iter().flat_map(|turn| &turn.items), failing_test))
}

/// Transcribes a recording, with no hint of what is to be heard.
async fn listen(ears: &inference::Client, recording: &Path) -> Result<String, Failure> {
    let pcm =
        WavReader::open(recording).and_then(|mut wav| wav.read_to_end()).map_err(Failure::other)?;
    let mut heard = Vec::new();
    for part in utterances(&pcm) {
        let samples = for_ears(&pcm[part])?;
        let transcript = ears
            .transcribe(&samples, TranscribeOptions::default())
            .await
            .map_err(Failure::other)?;
        heard.push(transcript.text.trim().to_owned());
    }
    Ok(heard.join(" "))
}

fn for_ears(pcm: &[i16]) -> Result<Vec<i16>, Failure> {
    let mut resampler = Resampler::new(DUET_HZ, SPEECH_HZ).map_err(Failure::other)?;
    let mut samples = Vec::new();
    resampler.push(&f32_from_pcm16(pcm), &mut samples);
    resampler.finish(&mut samples);
    Ok(f32_to_pcm16(&samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_fails_says_so() {
        for exit in [Exit::Failed, Exit::NothingDone] {
            assert!(without_answer(exit).unwrap().starts_with("demo FAILED: "), "{exit:?}");
        }
        for exit in [Exit::Done, Exit::Interrupted, Exit::Terminated] {
            assert_eq!(without_answer(exit), None, "{exit:?}");
        }
    }
}
