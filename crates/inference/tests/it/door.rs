//! The socket and the process behind it, without any model.

use std::time::Duration;

use inference::{Error, Model, Route};
use protocol::{ModelErrorKind, ToolChoice};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, Resource, Rlimit, getrlimit, pidfd_open, prlimit};
use stdx::Dice;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::bench::{Bench, all, command, request};

#[tokio::test]
async fn a_missing_model_names_the_remedy() {
    let bench = Bench::without_models().unwrap();
    let client = bench.client();
    let events = all(client.generate(request("hello", ToolChoice::Auto))).await;
    let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert!(error.message.contains("/nowhere/agent/"), "{}", error.message);
    assert!(error.message.contains("run `duet models fetch`"), "{}", error.message);

    for model in [Model::VoiceActivity, Model::EndOfTurn, Model::SpeechToText, Model::TextToSpeech]
    {
        let mut warm_up = client.warm_up(vec![model]);
        let started = warm_up.next().await.unwrap().unwrap();
        assert_eq!((started.model, started.done), (model, 0.0));
        let error = warm_up.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("duet models fetch"), "{error}");
        assert!(warm_up.next().await.is_none());
    }
}

/// Whoever speaks while nothing is loaded does not wait for it.
#[tokio::test]
async fn without_a_loaded_model_everything_is_for_the_agent() {
    let bench = Bench::without_models().unwrap();
    let route = bench.client().route("What are you doing?".to_owned()).await;
    assert_eq!(route, Ok(Route::Work));
}

/// A file that is no model is an error of the call, not of the host.
#[tokio::test]
async fn a_broken_model_is_named() {
    let bench = Bench::without_models().unwrap();
    let mut broken = Bench::without_models().unwrap();
    broken.options.files.agent = bench.dir.path().join("broken.gguf");
    std::fs::write(&broken.options.files.agent, b"GGUF\x03\0\0\0 and nothing else").unwrap();
    let client = broken.client();
    for _ in 0..2 {
        let events = all(client.generate(request("hello", ToolChoice::Auto))).await;
        let [Err(error)] = events.as_slice() else { panic!("{events:?}") };
        assert!(error.message.contains("broken.gguf cannot be used"), "{}", error.message);
    }
}

#[tokio::test]
async fn many_first_calls_start_one_host() {
    let bench = Bench::without_models().unwrap();
    let clients: Vec<_> = (0..6).map(|_| bench.client()).collect();
    let calls = clients.iter().map(|it| it.end_of_turn(&[0; 512]));
    for answer in futures_util::future::join_all(calls).await {
        assert!(matches!(answer, Err(Error::ModelMissing { .. })), "{answer:?}");
    }
    assert_eq!(bench.host().await.unwrap(), bench.host().await.unwrap());
}

#[tokio::test]
async fn a_killed_host_is_replaced() {
    let bench = Bench::without_models().unwrap();
    let client = bench.client();
    let missing = client.end_of_turn(&[]).await;
    assert!(matches!(missing, Err(Error::ModelMissing { .. })), "{missing:?}");
    let first = bench.host().await.unwrap();
    bench.kill_host().await.unwrap();
    let missing = client.end_of_turn(&[]).await;
    assert!(matches!(missing, Err(Error::ModelMissing { .. })), "{missing:?}");
    assert_ne!(bench.host().await.unwrap(), first);
}

#[tokio::test]
async fn an_idle_host_leaves_and_takes_its_socket_along() {
    let mut bench = Bench::without_models().unwrap();
    bench.options.idle_exit = Duration::from_millis(50);
    let client = bench.client();
    assert!(client.end_of_turn(&[]).await.is_err());
    let Ok(host) = bench.host().await else { return assert!(bench.socket().is_err()) };
    if let Ok(handle) = pidfd_open(host, PidfdFlags::empty()) {
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], None).unwrap();
    }
    assert!(bench.socket().is_err());
    // And the next call finds a new one.
    assert!(matches!(client.end_of_turn(&[]).await, Err(Error::ModelMissing { .. })));
}

#[tokio::test]
async fn garbage_at_the_socket_hurts_nobody_else() {
    let bench = Bench::without_models().unwrap();
    let client = bench.client();
    assert!(client.end_of_turn(&[]).await.is_err());
    let host = bench.host().await.unwrap();
    let mut dice = Dice::new(1);
    for round in 0..40u64 {
        let mut stranger = UnixStream::connect(bench.socket().unwrap()).await.unwrap();
        let size = dice.roll(4_096) as usize;
        let mut bytes: Vec<u8> = (0..size).map(|_| dice.roll(256) as u8).collect();
        if round % 2 == 0 && bytes.len() > 8 {
            // Lengths that are allowed: a header of garbage.
            bytes[..8].copy_from_slice(&[40, 0, 0, 0, 0, 0, 0, 0]);
        }
        // The host may close before all was written: that is an answer too.
        let written = stranger.write_all(&bytes).await;
        let closed = stranger.shutdown().await;
        drop((written, closed));
        let mut answer = Vec::new();
        drop(stranger.read_to_end(&mut answer).await);
        assert!(!String::from_utf8_lossy(&answer).contains("accepted"));
    }
    assert!(matches!(client.end_of_turn(&[]).await, Err(Error::ModelMissing { .. })));
    assert_eq!(bench.host().await.unwrap(), host, "the same process still answers");
}

#[tokio::test]
async fn a_program_that_is_no_host_is_told_from_one() {
    let bench = Bench::without_models().unwrap();
    for (program, reason) in [("/nowhere/duet", "No such file"), ("/bin/false", "exit status: 1")] {
        let mut command = command();
        command.program = program.into();
        let client = inference::Client::new(command, bench.options.clone());
        let error = client.end_of_turn(&[]).await.unwrap_err();
        assert!(matches!(error, Error::HostStart { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(program) && message.contains(reason), "{message}");
    }
}

#[tokio::test]
async fn a_folder_that_others_may_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::without_models().unwrap();
    std::fs::create_dir(&bench.options.runtime_dir).unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&bench.options.runtime_dir, open).unwrap();
    let error = bench.client().end_of_turn(&[]).await.unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

/// Whoever put the link there would choose what the host writes to.
#[tokio::test]
async fn a_link_in_place_of_the_log_or_the_lock_is_refused() {
    let bench = Bench::without_models().unwrap();
    let client = bench.client();
    assert!(matches!(client.end_of_turn(&[]).await, Err(Error::ModelMissing { .. })));
    let socket = bench.socket().unwrap();
    let victim = bench.dir.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    for name in ["log", "lock"] {
        bench.kill_host().await.unwrap();
        let ours = socket.with_extension(name);
        std::fs::remove_file(&ours).unwrap();
        std::os::unix::fs::symlink(&victim, &ours).unwrap();
        let error = client.end_of_turn(&[]).await.unwrap_err().to_string();
        assert!(error.contains(&ours.display().to_string()), "{name}: {error}");
        assert!(error.contains("Too many levels of symbolic links"), "{name}: {error}");
        std::fs::remove_file(&ours).unwrap();
        assert!(matches!(client.end_of_turn(&[]).await, Err(Error::ModelMissing { .. })));
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_named() {
    let mut bench = Bench::without_models().unwrap();
    bench.options.runtime_dir = bench.dir.path().join("x".repeat(90));
    let error = bench.client().end_of_turn(&[]).await.unwrap_err().to_string();
    assert!(error.contains("XDG_RUNTIME_DIR"), "{error}");
}

/// A host that has no file left for another connection says so, and lets it in when others
/// have gone.
#[tokio::test]
async fn a_host_without_room_for_another_connection_goes_on() {
    let bench = Bench::without_models().unwrap();
    let said = bench.dir.path().join("said");
    assert!(std::process::Command::new("mkfifo").arg(&said).status().unwrap().success());
    // Opened for both, so that neither end waits for the other.
    let words = std::fs::OpenOptions::new().read(true).write(true).open(&said).unwrap();
    let command = inference::HostCommand {
        program: "bash".into(),
        args: vec![
            "-c".into(),
            "exec \"$0\" \"$2\" 2>\"$1\"".into(),
            env!("CARGO_BIN_EXE_inference-host").into(),
            said.into(),
        ],
    };
    let client = inference::Client::new(command, bench.options.clone());
    assert!(matches!(client.end_of_turn(&[]).await, Err(Error::ModelMissing { .. })));
    let host = bench.host().await.unwrap();

    // No number is left for a new file.
    let limit = |files| prlimit(Some(host), Resource::Nofile, files).unwrap();
    let usual = limit(Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) });
    let waiting = tokio::task::spawn_blocking(move || {
        let lines = std::io::BufRead::lines(std::io::BufReader::new(words));
        lines.map_while(Result::ok).find(|line| line.contains("no room for another connection"))
    });
    let make_room = async {
        let line = waiting.await.unwrap().unwrap();
        limit(usual);
        line
    };
    let (answer, line) = tokio::join!(client.end_of_turn(&[]), make_room);
    assert!(line.contains("Too many open files"), "{line}");
    assert!(matches!(answer, Err(Error::ModelMissing { .. })), "{answer:?}");
    assert_eq!(bench.host().await.unwrap(), host, "the same process still answers");
}
