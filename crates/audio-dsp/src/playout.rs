//! What a player on the other end of a pipe is given, and when.
//!
//! It cannot be asked what it has played, and what it was given cannot be taken back. So it gets
//! sound in real time, a little ahead of the moment in which it should sound, and silence where
//! nothing sounds: what was not given yet can still be dropped when somebody speaks, and a player
//! never runs dry. Times count from the beginning of the stream; this is a function of them and of
//! the samples, and reads no clock.

use std::collections::VecDeque;
use std::time::Duration;

use crate::DUET_HZ;

/// Samples of a millisecond.
const MS: u64 = DUET_HZ as u64 / 1000;

/// What is given at a time, where it is not the end of something: what a microphone would deliver.
const FRAME: u64 = 20 * MS;

/// How far ahead sound is given: through pauses of ours as a busy machine has them. All of it
/// sounds although somebody speaks, and of the 200 ms in which barge-in must silence us, hearing
/// that it is speech takes up to 130.
pub const SOUND_AHEAD_MS: u32 = 60;
const SOUND_AHEAD: u64 = SOUND_AHEAD_MS as u64 * MS;

/// How far ahead silence is given: two frames. Whatever sounds next, sounds behind it.
const SILENCE_AHEAD: u64 = 40 * MS;

/// How late we may be and still make up for it. With [`SOUND_AHEAD`], as far as a player is ever
/// ahead of the clock. Time that was lost beyond (a suspended machine, a reader that did not take
/// anything) is left out, and what waits to sound, sounds later.
const CATCH_UP: u64 = 100 * MS;

/// The most that waits to sound: ten minutes, 29 MB. A service sends faster than it plays; no
/// spoken answer is as long as this, but many of them may wait for a reader that is too slow.
const LONGEST: usize = 10 * 60 * DUET_HZ as usize;

/// Room for samples that is kept while nothing waits: two seconds.
const KEPT_ROOM: usize = 2 * DUET_HZ as usize;

/// A reader that takes nothing for as long is not one that plays.
const PATIENCE: Duration = Duration::from_secs(5);

/// `M` names beginnings, see [`Playout::mark`].
#[derive(Debug, Clone)]
pub struct Playout<M> {
    /// Samples that were given: all of them sound.
    given: u64,
    /// Where behind `given` the time of the stream would be without what was left out.
    skipped: u64,
    /// What sounds next, without gaps.
    queue: VecDeque<i16>,
    /// Samples that have left the queue by being given.
    passed: u64,
    /// As `passed` counts.
    marks: VecDeque<(u64, M)>,
    /// When the last sound that was given is over.
    sound_end: Duration,
    /// What waits does not sound for now.
    held: bool,
}

/// What is to be written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<M> {
    pub pcm: Vec<i16>,
    /// Whose first sample is in it.
    pub begins: Vec<M>,
}

/// What a stop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silenced {
    /// What will never sound.
    pub dropped: Duration,
    /// When the last sample that was given sounds, if the player keeps up.
    pub sounds_until: Duration,
}

impl<M> Default for Playout<M> {
    fn default() -> Self {
        Self {
            given: 0,
            skipped: 0,
            queue: VecDeque::new(),
            passed: 0,
            marks: VecDeque::new(),
            sound_end: Duration::ZERO,
            held: false,
        }
    }
}

impl<M> Playout<M> {
    /// `pcm` sounds after everything that waits. Gives how much of its end found no room.
    pub fn play(&mut self, pcm: &[i16]) -> Duration {
        let room = LONGEST - self.queue.len().min(LONGEST);
        let kept = pcm.len().min(room);
        self.queue.extend(&pcm[..kept]);
        length((pcm.len() - kept) as u64)
    }

    /// What is played next begins what `mark` names: [`Playout::due`] tells when it is given.
    pub fn mark(&mut self, mark: M) {
        self.marks.push_back((self.passed + self.queue.len() as u64, mark));
    }

    /// Somebody speaks: what was not given waits. Gives when the last sample that was given sounds,
    /// if the player keeps up; in the past where it has.
    pub fn hold(&mut self) -> Duration {
        self.held = true;
        self.sound_end
    }

    /// What waits sounds next.
    pub fn resume(&mut self) {
        self.held = false;
    }

    /// Somebody spoke: what was not given never sounds. `None` where nothing waited, or nothing has
    /// sounded yet.
    pub fn stop(&mut self) -> Option<Silenced> {
        self.held = false;
        let dropped = self.clear();
        let silenced = Silenced { dropped, sounds_until: self.sound_end };
        (dropped != Duration::ZERO && self.sound_end != Duration::ZERO).then_some(silenced)
    }

    /// What is to be written at `at`, to a reader that has taken what was given before.
    pub fn due(&mut self, at: Duration) -> Option<Block<M>> {
        let mut here = place(at).saturating_sub(self.skipped);
        if self.given + CATCH_UP < here {
            self.skipped += here - self.given;
            here = self.given;
        }
        let (step, ahead) = self.step();
        if here + ahead < self.given + step {
            return None;
        }
        let sound = (here + SOUND_AHEAD).saturating_sub(self.given).min(self.sounding());
        let mut pcm: Vec<i16> = self.queue.drain(..sound as usize).collect();
        if self.queue.is_empty() {
            // A long answer is no reason to need as much memory ever after.
            self.queue.shrink_to(KEPT_ROOM);
        }
        self.given += sound;
        self.passed += sound;
        if 0 < sound {
            self.sound_end = time_of(self.skipped + self.given);
        }
        if self.sounding() == 0 {
            let silence = (here + SILENCE_AHEAD).saturating_sub(self.given);
            pcm.extend(std::iter::repeat_n(0, silence as usize));
            self.given += silence;
        }
        let mut begins = Vec::new();
        while let Some((_, mark)) = self.marks.pop_front_if(|(place, _)| *place < self.passed) {
            begins.push(mark);
        }
        Some(Block { pcm, begins })
    }

    /// When [`Playout::due`] gives something.
    pub fn deadline(&self) -> Duration {
        let (step, ahead) = self.step();
        time_of((self.skipped + self.given + step).saturating_sub(ahead))
    }

    /// At `at` the reader still has not taken what was given at `since`. Gives what was dropped
    /// because it waited in vain.
    pub fn not_taken(&mut self, since: Duration, at: Duration) -> Duration {
        if at < Self::given_up(since) { Duration::ZERO } else { self.clear() }
    }

    /// When [`Playout::not_taken`] drops something.
    pub fn patience(&self, since: Duration) -> Option<Duration> {
        (!self.queue.is_empty()).then(|| Self::given_up(since))
    }

    /// Until when a reader is waited for that has taken nothing `since` then.
    pub fn given_up(since: Duration) -> Duration {
        since.saturating_add(PATIENCE)
    }

    /// When the last sample that was given is over, as it should be played.
    pub fn given_until(&self) -> Duration {
        time_of(self.skipped + self.given)
    }

    /// When everything that arrived will have sounded, as far as is known at `at`; in the past
    /// where it has. What is held counts as if it went on now.
    pub fn sounds_until(&self, at: Duration) -> Duration {
        if self.queue.is_empty() {
            return self.sound_end;
        }
        let next = (self.skipped + self.given).max(place(at));
        time_of(next + self.queue.len() as u64)
    }

    /// The least that is given, and how far ahead.
    fn step(&self) -> (u64, u64) {
        match self.sounding() {
            0 => (FRAME, SILENCE_AHEAD),
            waiting => (FRAME.min(waiting), SOUND_AHEAD),
        }
    }

    /// Samples that wait to sound, and may.
    fn sounding(&self) -> u64 {
        if self.held { 0 } else { self.queue.len() as u64 }
    }

    fn clear(&mut self) -> Duration {
        let dropped = length(self.queue.len() as u64);
        self.queue.clear();
        self.marks.clear();
        dropped
    }
}

/// The sample that sounds at `at`.
fn place(at: Duration) -> u64 {
    let samples = at.as_nanos().saturating_mul(u128::from(DUET_HZ)) / 1_000_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// The first moment at which `place` is the sample that sounds.
fn time_of(place: u64) -> Duration {
    let nanos = (u128::from(place) * 1_000_000_000).div_ceil(u128::from(DUET_HZ));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn length(samples: u64) -> Duration {
    time_of(samples)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    enum Do {
        /// Milliseconds of a sample.
        Play(u64, i16),
        Mark(char),
        Hold,
        Resume,
        Stop,
        /// The reader takes whatever is due, as it falls due, until then.
        Until(u64),
        /// It takes nothing until then, and then what is due.
        Stall(u64),
        /// As [`Do::Stall`], and is asked about it.
        Deaf(u64),
    }
    use Do::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Runs of equal samples.
    fn runs(pcm: &[i16]) -> String {
        let runs = pcm.chunk_by(|a, b| a == b);
        let runs = runs.map(|run| format!("{}x{}ms", run[0], run.len() as f64 / MS as f64));
        runs.collect::<Vec<_>>().join(" ")
    }

    /// `time: what is written`, and what a stop came to.
    #[track_caller]
    fn check(script: &[Do], expected: &str) {
        let mut playout = Playout::default();
        let mut now = 0;
        let mut story = String::new();
        let give = |playout: &mut Playout<char>, at: Duration, story: &mut String| {
            let Some(Block { pcm, begins }) = playout.due(at) else { return false };
            write!(story, "{}: {}", at.as_micros() as f64 / 1e3, runs(&pcm)).unwrap();
            for mark in begins {
                write!(story, ", {mark} begins").unwrap();
            }
            story.push('\n');
            true
        };
        for step in script {
            match step {
                Play(length, sample) => {
                    let lost = playout.play(&vec![*sample; (length * MS) as usize]);
                    if lost != Duration::ZERO {
                        writeln!(story, "no room for {lost:?}").unwrap();
                    }
                }
                Mark(mark) => playout.mark(*mark),
                Hold => writeln!(story, "held, sounds until {:?}", playout.hold()).unwrap(),
                Resume => playout.resume(),
                Stop => writeln!(story, "{:?}", playout.stop()).unwrap(),
                Until(until) => {
                    loop {
                        let at = playout.deadline().max(ms(now));
                        if ms(*until) < at {
                            break;
                        }
                        assert!(give(&mut playout, at, &mut story), "nothing due at {at:?}");
                    }
                    now = *until;
                }
                Stall(until) => {
                    now = *until;
                    give(&mut playout, ms(now), &mut story);
                }
                Deaf(until) => {
                    let dropped = playout.not_taken(ms(now), ms(*until));
                    now = *until;
                    writeln!(story, "{now}: dropped {dropped:?}").unwrap();
                }
            }
        }
        let sounds_until = playout.sounds_until(ms(now));
        writeln!(story, "sounds until {sounds_until:?}").unwrap();
        assert_eq!(story, expected, "got:\n{story}");
    }

    #[test]
    fn silence_is_given_two_frames_ahead_from_the_beginning() {
        check(&[Until(40)], "0: 0x40ms\n20: 0x20ms\n40: 0x20ms\nsounds until 0ns\n");
    }

    #[test]
    fn sound_begins_behind_the_silence_that_was_given_and_goes_ahead() {
        check(
            &[Mark('a'), Until(10), Play(170, 7), Until(130)],
            "0: 0x40ms\n\
             10: 7x30ms, a begins\n\
             30: 7x20ms\n\
             50: 7x20ms\n\
             70: 7x20ms\n\
             90: 7x20ms\n\
             110: 7x20ms\n\
             130: 7x20ms\n\
             sounds until 210ms\n",
        );
    }

    /// The end of a sound is not held back until there is a whole frame, and silence follows.
    #[test]
    fn the_end_of_a_sound_is_given_in_time() {
        check(
            &[Play(105, 7), Until(100)],
            "0: 7x60ms\n\
             20: 7x20ms\n\
             40: 7x20ms\n\
             45: 7x5ms\n\
             85: 0x20ms\n\
             sounds until 105ms\n",
        );
    }

    #[test]
    fn what_was_not_given_is_dropped_by_who_speaks() {
        check(
            &[Mark('a'), Play(1_000, 7), Mark('b'), Play(500, 8), Until(250), Stop, Until(340)],
            "0: 7x60ms, a begins\n\
             20: 7x20ms\n\
             40: 7x20ms\n\
             60: 7x20ms\n\
             80: 7x20ms\n\
             100: 7x20ms\n\
             120: 7x20ms\n\
             140: 7x20ms\n\
             160: 7x20ms\n\
             180: 7x20ms\n\
             200: 7x20ms\n\
             220: 7x20ms\n\
             240: 7x20ms\n\
             Some(Silenced { dropped: 1.2s, sounds_until: 300ms })\n\
             280: 0x20ms\n\
             300: 0x20ms\n\
             320: 0x20ms\n\
             340: 0x20ms\n\
             sounds until 300ms\n",
        );
        // Nothing waits: nothing was silenced.
        check(&[Play(20, 7), Until(0), Stop], "0: 7x20ms 0x20ms\nNone\nsounds until 20ms\n");
    }

    #[test]
    fn what_was_held_goes_on_where_it_was_held() {
        check(
            &[
                Play(300, 7),
                Mark('a'),
                Play(40, 8),
                Until(50),
                Hold,
                Until(230),
                Play(20, 9),
                Resume,
                Until(360),
                Hold,
                Stop,
                Until(500),
            ],
            "0: 7x60ms\n\
             20: 7x20ms\n\
             40: 7x20ms\n\
             held, sounds until 100ms\n\
             80: 0x20ms\n\
             100: 0x20ms\n\
             120: 0x20ms\n\
             140: 0x20ms\n\
             160: 0x20ms\n\
             180: 0x20ms\n\
             200: 0x20ms\n\
             220: 0x20ms\n\
             230: 7x30ms\n\
             250: 7x20ms\n\
             270: 7x20ms\n\
             290: 7x20ms\n\
             310: 7x20ms\n\
             330: 7x20ms\n\
             350: 7x20ms\n\
             held, sounds until 410ms\n\
             Some(Silenced { dropped: 110ms, sounds_until: 410ms })\n\
             390: 0x20ms\n\
             410: 0x20ms\n\
             430: 0x20ms\n\
             450: 0x20ms\n\
             470: 0x20ms\n\
             490: 0x20ms\n\
             sounds until 410ms\n",
        );
    }

    #[test]
    fn replies_that_wait_for_each_other_begin_when_they_do() {
        check(
            &[Mark('a'), Play(110, 7), Mark('b'), Play(40, 8), Until(60)],
            "0: 7x60ms, a begins\n\
             20: 7x20ms\n\
             40: 7x20ms\n\
             60: 7x10ms 8x10ms, b begins\n\
             sounds until 150ms\n",
        );
    }

    /// A busy machine is made up for: the player has to be given as much as it plays.
    #[test]
    fn a_little_late_is_caught_up() {
        check(&[Until(0), Stall(95), Until(100)], "0: 0x40ms\n95: 0x95ms\nsounds until 0ns\n");
        check(
            &[Play(400, 7), Until(0), Stall(150)],
            "0: 7x60ms\n\
             150: 7x150ms\n\
             sounds until 400ms\n",
        );
    }

    /// More would sound in the pipe long after somebody has spoken.
    #[test]
    fn much_too_late_is_left_out_and_no_sound_is_lost() {
        check(
            &[Play(400, 7), Until(0), Stall(4_000), Until(4_020)],
            "0: 7x60ms\n\
             4000: 7x60ms\n\
             4020: 7x20ms\n\
             sounds until 4.34s\n",
        );
        check(&[Until(0), Stall(60_000)], "0: 0x40ms\n60000: 0x40ms\nsounds until 0ns\n");
    }

    #[test]
    fn a_reader_that_takes_nothing_loses_what_waits() {
        check(
            &[Until(0), Play(400, 7), Deaf(4_999), Stop],
            "0: 0x40ms\n4999: dropped 0ns\nNone\nsounds until 0ns\n",
        );
        check(
            &[Play(400, 7), Until(0), Deaf(5_000), Stall(6_000)],
            "0: 7x60ms\n\
             5000: dropped 340ms\n\
             6000: 0x40ms\n\
             sounds until 60ms\n",
        );
    }

    #[test]
    fn what_waits_is_bounded() {
        check(
            &[Play(599_900, 7), Play(150, 8), Stop],
            "no room for 50ms\nNone\nsounds until 0ns\n",
        );
    }

    #[test]
    fn what_has_sounded_needs_no_memory() {
        let mut playout: Playout<()> = Playout::default();
        playout.play(&vec![7; 60_000 * MS as usize]);
        while 0 < playout.sounding() {
            playout.due(playout.deadline());
        }
        assert!(playout.queue.capacity() < 2 * KEPT_ROOM, "{}", playout.queue.capacity());
    }

    /// Two hours of silence are as many samples as they last.
    #[test]
    fn the_stream_keeps_to_the_clock() {
        let mut playout: Playout<()> = Playout::default();
        let mut given = 0;
        let end = Duration::from_secs(7_200);
        while playout.deadline() <= end {
            given += playout.due(playout.deadline()).unwrap().pcm.len() as u64;
        }
        assert_eq!(given, 7_200_000 * MS + SILENCE_AHEAD);
    }
}
