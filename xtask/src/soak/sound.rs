//! The microphone and the player: real time on both sides, and what it says about the clocks.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::director::Note;

const HZ: f64 = 24_000.0;
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: usize = 480;

/// Of 32767. The player's silence is exactly none.
const LOUD: i16 = 200;

/// Longer than a voice pauses between sentences.
const QUIET: Duration = Duration::from_millis(900);

/// What the clocks said since they were looked at last, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clocks {
    /// How far the sound that was received is ahead of the time since it began; its smallest
    /// value, its largest, and the one at the end.
    pub(crate) lead_min: f64,
    pub(crate) lead_max: f64,
    pub(crate) lead: f64,
    /// The most that waited in the pipe of the microphone.
    pub(crate) backlog: f64,
    /// How late our own microphone was.
    pub(crate) late: f64,
    pub(crate) samples_in: u64,
    pub(crate) samples_out: u64,
}

/// Both sides write here, and somebody reads it now and then.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<Clocks>>>);

impl Watch {
    fn note(&self, change: impl FnOnce(&mut Clocks)) {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Clocks { lead_min: f64::MAX, lead_max: f64::MIN, ..Clocks::default() };
        change(clocks.get_or_insert(fresh));
    }

    /// What was since the last time.
    pub(crate) fn take(&self) -> Clocks {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = clocks.unwrap_or_default();
        if let Some(clocks) = clocks.as_mut() {
            *clocks = Clocks {
                lead_min: clocks.lead,
                lead_max: clocks.lead,
                backlog: 0.0,
                late: 0.0,
                ..*clocks
            };
        }
        taken
    }
}

/// Frames of 20 ms by the clock: what is to be said, and silence between. Ends when nobody can
/// say anything any more.
pub(crate) fn microphone(
    mut pipe: ChildStdin,
    to_say: &Receiver<Vec<i16>>,
    watch: &Watch,
    notes: &Sender<Note>,
) -> std::io::Result<()> {
    let start = Instant::now();
    let mut saying: std::collections::VecDeque<i16> = std::collections::VecDeque::new();
    for frame in 1_u32.. {
        let due = start + FRAME * frame;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match to_say.try_recv() {
            Ok(samples) => saying.extend(samples),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        let was_saying = !saying.is_empty();
        let bytes: Vec<u8> = (0..FRAME_SAMPLES)
            .flat_map(|_| saying.pop_front().unwrap_or(0).to_le_bytes())
            .collect();
        let late = due.elapsed().as_secs_f64() * 1e3;
        pipe.write_all(&bytes)?;
        let waits = rustix::io::ioctl_fionread(&pipe)? as f64 / 2.0 / HZ * 1e3;
        watch.note(|clocks| {
            clocks.late = clocks.late.max(late);
            clocks.backlog = clocks.backlog.max(waits);
            clocks.samples_in += FRAME_SAMPLES as u64;
        });
        if was_saying && saying.is_empty() {
            // The conversation has ended when nobody takes it.
            notes.send(Note::Said).ok();
        }
    }
    Ok(())
}

/// Takes everything at once, as it comes.
pub(crate) fn player(pipe: &Path, watch: &Watch, notes: &Sender<Note>) -> std::io::Result<()> {
    let mut pipe = File::open(pipe)?;
    let mut buffer = [0; 1 << 16];
    let mut received = 0_u64;
    let mut start = None;
    let mut loud: Option<Instant> = None;
    loop {
        let read = pipe.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let start = *start.get_or_insert(now);
        received += read as u64;
        let lead = (received as f64 / 2.0 / HZ - (now - start).as_secs_f64()) * 1e3;
        watch.note(|clocks| {
            clocks.lead_min = clocks.lead_min.min(lead);
            clocks.lead_max = clocks.lead_max.max(lead);
            clocks.lead = lead;
            clocks.samples_out = received / 2;
        });
        // A sample that was cut in two is one of many.
        let sounds = buffer[..read]
            .chunks_exact(2)
            .any(|it| LOUD < i16::from_le_bytes([it[0], it[1]]).saturating_abs());
        let change = match loud {
            None if sounds => Some(Note::Sounds),
            Some(since) if !sounds && QUIET <= now - since => Some(Note::Quiet),
            _ => None,
        };
        match &change {
            Some(Note::Quiet) => loud = None,
            _ if sounds => loud = Some(now),
            _ => {}
        }
        if let Some(note) = change {
            notes.send(note).ok();
        }
    }
}
