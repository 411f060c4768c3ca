//! The ways that are gone for every frame of sound and every word: what comes in at one door of
//! the engine's process is what goes out at the other.
//!
//! Each is put together from the same parts, in the same order, as the drivers do it in
//! `app-server`, `engine` and `realtime-client`; only sockets, queues and tasks are left out,
//! because what they cost does not repeat.

mod delta;
mod microphone;
mod voice;

pub(crate) use self::delta::Delta;
pub(crate) use self::microphone::Microphone;
pub(crate) use self::voice::Voice;

use std::time::SystemTime;

use app_server_protocol::{Origin, news};
use protocol::{Event, EventBody, SandboxPolicy, ThreadId, ThreadSettings, TurnId, Usage};
use stdx::Time;
use thread::{Input, ModelSize, Output, Setup, Thread};

/// One way, warm: it can be gone again and again.
pub(crate) trait Path {
    /// Takes the next thing that comes in, and appends what goes out, a line each.
    fn step(&mut self, out: &mut Vec<String>) -> anyhow::Result<()>;
}

/// 20 ms at 24 kHz, which is what clients send at once.
const FRAME: usize = 480;

const THREAD: &str = "019ab3c4-5d6e-7f80-91a2-b3c4d5e6f708";

/// A tone: sound whose base64 is as mixed as that of speech.
fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|i| ((i as f32 * 0.115).sin() * 12_000.0) as i16).collect()
}

/// The pure thread, and what the engine and the connection do with what it says.
struct Told {
    id: ThreadId,
    thread: Thread,
    seq: u64,
    now: Time,
}

impl Told {
    fn new() -> Self {
        let id = ThreadId::from(THREAD);
        let thread = Thread::new(Setup {
            thread: id.clone(),
            settings: ThreadSettings {
                cwd: "/home/ada/project".into(),
                model: "gpt-5".to_owned(),
                model_provider: "openai".to_owned(),
                approval_policy: protocol::ApprovalPolicy::Never,
                sandbox: SandboxPolicy::default(),
                developer_instructions: None,
                ephemeral: true,
            },
            model: ModelSize::Full,
            history: Vec::new(),
            usage: Usage::default(),
            turns: [turn(1), turn(2)],
        });
        Self { id, thread, seq: 0, now: Time::ZERO }
    }

    /// What it wants done with `input`.
    fn handle(&mut self, input: Input) -> Vec<Output> {
        self.thread.handle(input, self.now).collect()
    }

    /// Tells the client what comes of `input`.
    fn tell(&mut self, input: Input, out: &mut Vec<String>) {
        // 2026: the lines are as long as real ones.
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_000_000);
        for output in self.handle(input) {
            if let Output::Event(body) = output {
                let event = self.event(at, body);
                let origin = Origin { version: "0.0.0", path: None };
                out.extend(news(&event, origin).iter().map(|it| it.to_line()));
            }
        }
    }

    fn event(&mut self, at: SystemTime, body: EventBody) -> Event {
        let event = Event { thread: self.id.clone(), seq: self.seq, at, body };
        self.seq += 1;
        event
    }
}

fn turn(number: u8) -> TurnId {
    TurnId::new(format!("019ab3c4-5d6e-7f80-91a2-b3c4d5e6f7{number:02}"))
}
