//! The plumbing with real weights: the 0.5B model, which knows little and answers fast.

use std::path::PathBuf;

use anyhow::ensure;
use inference::{Client, Error, Model, ModelFiles, Route};
use protocol::{ModelErrorKind, ModelEvent, ToolChoice, Usage};

use crate::bench::{Bench, all, request};

/// `$DUET_MODELS`, else the user's cache: the same as `duet models fetch`.
fn models() -> PathBuf {
    let cache = || {
        let home = || std::env::var_os("HOME").map(|it| PathBuf::from(it).join(".cache"));
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)
    };
    std::env::var_os("DUET_MODELS")
        .map(PathBuf::from)
        .or_else(|| cache().map(|it| it.join("duet/models")))
        .unwrap_or_default()
}

fn bench() -> anyhow::Result<Bench> {
    let models = models();
    let agent = models.join("agent/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf");
    ensure!(
        agent.exists(),
        "{} is missing: run `duet models fetch --set tests`, or name its folder with DUET_MODELS",
        agent.display()
    );
    Bench::new(ModelFiles { agent, speech: models })
}

fn usage(events: &[Result<ModelEvent, protocol::ModelError>]) -> Usage {
    match events.last() {
        Some(Ok(ModelEvent::Completed { usage })) => *usage,
        _ => panic!("not completed: {events:?}"),
    }
}

#[tokio::test]
async fn the_choice_of_tools_is_honoured() {
    let bench = bench().unwrap();
    let client = bench.client();

    let required = all(client.generate(request("hello there", ToolChoice::Required))).await;
    let [Ok(ModelEvent::ToolCall(call)), Ok(ModelEvent::Completed { usage })] = required.as_slice()
    else {
        panic!("{required:?}");
    };
    assert!(["run_tests", "read_file"].contains(&call.name.as_str()), "{call:?}");
    assert!(usage.input_tokens > 50 && usage.output_tokens > 0, "{usage:?}");

    let none = all(client.generate(request("say hello", ToolChoice::None))).await;
    let deltas: String = none
        .iter()
        .filter_map(|it| match it {
            Ok(ModelEvent::TextDelta { delta }) => Some(delta.as_str()),
            _ => None,
        })
        .collect();
    assert!(!deltas.is_empty(), "{none:?}");
    assert!(none.contains(&Ok(ModelEvent::Message { text: deltas.clone() })), "{none:?}");
}

#[tokio::test]
async fn loading_is_told() {
    let bench = bench().unwrap();
    let mut warm_up = bench.client().warm_up(vec![Model::Agent]);
    let mut seen = Vec::new();
    while let Some(loading) = warm_up.next().await {
        seen.push(loading.unwrap().done);
    }
    assert!(seen.is_sorted() && seen.len() > 3, "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&0.0), Some(&1.0)));
}

#[tokio::test]
async fn the_same_question_has_the_same_answer_and_is_cached() {
    let bench = bench().unwrap();
    let client = bench.client();
    let question = || request("Which file holds the cart? Read it.", ToolChoice::Auto);
    let first = all(client.generate(question())).await;
    let again = all(client.generate(question())).await;
    let words = |events: &[Result<ModelEvent, protocol::ModelError>]| -> Vec<String> {
        events
            .iter()
            .flatten()
            .filter_map(|it| match it {
                ModelEvent::ToolCall(call) => Some(format!("{} {}", call.name, call.arguments)),
                ModelEvent::Message { text } => Some(text.clone()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(words(&first), words(&again));
    let (cold, warm) = (usage(&first), usage(&again));
    assert_eq!(cold.cached_input_tokens, 0);
    assert!(warm.cached_input_tokens + 8 >= warm.input_tokens, "{warm:?}");
}

/// Two sessions at once: each gets its own whole answer.
#[tokio::test]
async fn two_clients_are_served() {
    let bench = bench().unwrap();
    let (one, other) = (bench.client(), bench.client());
    let (one, other) = tokio::join!(
        all(one.generate(request("Run the tests.", ToolChoice::Required))),
        all(other.generate(request("Say hello.", ToolChoice::None))),
    );
    assert!(matches!(one.first(), Some(Ok(ModelEvent::ToolCall(_)))), "{one:?}");
    assert!(other.iter().any(|it| matches!(it, Ok(ModelEvent::Message { .. }))), "{other:?}");
    assert_eq!(usage(&one).reasoning_tokens + usage(&other).reasoning_tokens, 0);
}

#[tokio::test]
async fn a_host_killed_while_it_writes_is_an_error_and_then_replaced() {
    let bench = bench().unwrap();
    let client = bench.client();
    let essay = || request("Write a long story about a compiler.", ToolChoice::None);
    let mut generation = client.generate(essay());
    let first = generation.next().await;
    assert!(matches!(first, Some(Ok(ModelEvent::TextDelta { .. }))), "{first:?}");
    bench.kill_host().await.unwrap();
    let error = loop {
        match generation.next().await {
            Some(Ok(ModelEvent::TextDelta { .. })) => {}
            Some(Err(error)) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error.kind, ModelErrorKind::Transient { after: None });
    assert!(error.message.contains("its log is"), "{}", error.message);
    assert_eq!(generation.next().await, None);

    let mut generation = client.generate(essay());
    let first = generation.next().await;
    assert!(matches!(first, Some(Ok(ModelEvent::TextDelta { .. }))), "{first:?}");
}

/// The dropped one would have written for longer than the next one takes altogether; that it
/// was stopped shows in the order, not in the time.
#[tokio::test]
async fn a_dropped_call_makes_room() {
    let bench = bench().unwrap();
    let client = bench.client();
    for _ in 0..20 {
        let mut dropped =
            client.generate(request("Write a long story about a compiler.", ToolChoice::None));
        assert!(dropped.next().await.is_some());
    }
    let events = all(client.generate(request("Run the tests.", ToolChoice::Required))).await;
    // What can be called only in one way takes no token.
    assert!(events.iter().any(|it| matches!(it, Ok(ModelEvent::ToolCall(_)))), "{events:?}");
}

#[tokio::test]
async fn a_fresh_host_starts_from_the_states_on_disk() {
    let bench = bench().unwrap();
    let client = bench.client();
    let mut question = request("Run the tests.", ToolChoice::Required);
    question.instructions = "Be exact. ".repeat(120);
    all(client.generate(question.clone())).await;
    bench.kill_host().await.unwrap();
    let warm = usage(&all(client.generate(question.clone())).await);
    assert!(warm.cached_input_tokens > 300, "{warm:?}");

    // A damaged state is as good as none.
    let states: Vec<PathBuf> = std::fs::read_dir(&bench.options.cache_dir)
        .unwrap()
        .filter_map(|it| Some(it.ok()?.path()))
        .filter(|it| it.extension().is_some_and(|it| it == "kv"))
        .collect();
    let [state] = states.as_slice() else { panic!("{states:?}") };
    let mut bytes = std::fs::read(state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(state, bytes).unwrap();
    bench.kill_host().await.unwrap();
    assert_eq!(usage(&all(client.generate(question)).await).cached_input_tokens, 0);
}

#[tokio::test]
async fn what_does_not_fit_is_told_at_once() {
    let bench = bench().unwrap();
    let client = bench.client();
    for words in [9_000, 200_000] {
        let long = request(&"word ".repeat(words), ToolChoice::Auto);
        let events = all(client.generate(long)).await;
        let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(error.kind, ModelErrorKind::TooLong, "{}", error.message);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_answered_is_rejected() {
    let bench = bench().unwrap();
    let mut impossible = request("hello", ToolChoice::Required);
    impossible.tools.clear();
    let events = all(bench.client().generate(impossible)).await;
    let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(error.kind, ModelErrorKind::Rejected);
}

/// 32 ms frames of silence, in pieces that do not fit them.
#[tokio::test]
async fn voice_activity_is_told_per_frame() {
    let bench = bench().unwrap();
    let mut ears = match bench.client().vad().await {
        Ok(ears) => ears,
        Err(error) => panic!("{error}"),
    };
    let mut heard = Vec::new();
    for _ in 0..8 {
        ears.push(&[0; 300]).await.unwrap();
    }
    while heard.len() < 8 * 300 / 512 {
        match ears.next().await {
            Ok(probabilities) => heard.extend(probabilities),
            Err(error @ Error::ModelMissing { .. }) => panic!("{error}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(heard.iter().all(|it| *it < 0.5), "{heard:?}");
}

/// What people say while the agent works. None of it is among the model's examples.
const SAID_MEANWHILE: [(Route, [&str; 10]); 3] = [
    (
        Route::Status,
        [
            "What are you doing?",
            "What's happening right now?",
            "How is it going?",
            "Are you done yet?",
            "Why is this taking so long?",
            "Where are you with it?",
            "Are you still there?",
            "Any progress?",
            "What step are you on?",
            "Is it finished?",
        ],
    ),
    (
        Route::Repeat,
        [
            "Repeat that.",
            "Can you repeat that, please?",
            "What did you say?",
            "Pardon?",
            "Could you say that once more?",
            "I didn't catch that.",
            "Tell me that again, slowly.",
            "Sorry, what was that?",
            "What was the last thing you said?",
            "I couldn't hear you.",
        ],
    ),
    (
        Route::Work,
        [
            "Also add a test for it.",
            "Actually, call it total instead.",
            "Stop.",
            "Never mind, leave that file alone.",
            "What does the parse function return?",
            "Fix the typo in the readme too.",
            "Why is the build failing?",
            "Run the tests again when you are done.",
            "Use tabs, not spaces.",
            "Which files did the last commit change?",
        ],
    ),
];

/// The model is sometimes wrong; what it must not do is to take work for talk, because then it is
/// lost. All thirty were right when this was written.
#[tokio::test]
async fn what_is_said_meanwhile_is_routed() {
    let bench = bundled().unwrap();
    let client = bench.client();
    router_of(&client).await.unwrap();
    let mut wrong = Vec::new();
    for (meant, utterances) in SAID_MEANWHILE {
        for words in utterances {
            let route = client.route(words.to_owned()).await.unwrap();
            if route != meant {
                wrong.push((meant, words, route));
            }
        }
    }
    assert!(wrong.iter().all(|(meant, ..)| *meant != Route::Work), "work is lost: {wrong:?}");
    assert!(wrong.len() <= 2, "{wrong:?}");
}

/// What the agent writes is what it would have written, and the answer does not wait for it.
#[tokio::test]
async fn a_route_leaves_the_agents_generation_alone() {
    let bench = bundled().unwrap();
    let client = bench.client();
    router_of(&client).await.unwrap();
    let essay = || request("Explain in three sentences what a parser is.", ToolChoice::None);
    // The same steps from here on: of other sizes they are rounded otherwise.
    all(client.generate(essay())).await;
    let undisturbed = all(client.generate(essay())).await;

    let mut generation = client.generate(essay());
    let mut events = vec![generation.next().await.unwrap()];
    assert!(matches!(events[0], Ok(ModelEvent::TextDelta { .. })), "{events:?}");
    let (route, rest) = tokio::join!(client.route("What are you doing?".to_owned()), async {
        let mut rest = Vec::new();
        while let Some(event) = generation.next().await {
            rest.push(event);
        }
        rest
    });
    assert_eq!(route.unwrap(), Route::Status);
    events.extend(rest);
    let words = |events: &[Result<ModelEvent, protocol::ModelError>]| {
        events.iter().find_map(|it| match it {
            Ok(ModelEvent::Message { text }) => Some(text.clone()),
            _ => None,
        })
    };
    assert_eq!(words(&events), words(&undisturbed));
    assert!(words(&events).is_some(), "{events:?}");
}

/// An utterance that is too long to be a question about the work is work, whatever is in it.
#[tokio::test]
async fn long_utterances_are_work() {
    let bench = bundled().unwrap();
    let client = bench.client();
    router_of(&client).await.unwrap();
    let words = "What are you doing? ".repeat(20);
    assert_eq!(client.route(words).await.unwrap(), Route::Work);
}

/// The real agent's model: what the small one says about words would tell nothing.
fn bundled() -> anyhow::Result<Bench> {
    let files = ModelFiles::beneath(&models());
    ensure!(files.agent.exists(), "{} is missing: run `duet models fetch`", files.agent.display());
    Bench::new(files)
}

/// Until it is ready everything is for the agent.
async fn router_of(client: &Client) -> Result<(), Error> {
    let mut warm_up = client.warm_up(vec![Model::Agent]);
    while let Some(step) = warm_up.next().await {
        step?;
    }
    while client.route("What are you up to?".to_owned()).await? == Route::Work {}
    Ok(())
}
