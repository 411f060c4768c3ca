//! Who says what when: the same conversation for the same seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stdx::Dice;

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Of the recordings.
    pub(crate) recording: usize,
    pub(crate) manner: Manner,
    pub(crate) script: Script,
}

/// When it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Manner {
    /// So long after the answer before has sounded.
    After(Duration),
    /// So long after the words of the answer before were told, while it sounds: it is
    /// interrupted. An acknowledgement that still sounds then takes two seconds.
    Over(Duration),
    /// So long after the agent has begun to work on what was said before.
    During(Duration),
}

/// What the agent's model does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Script {
    /// A sentence or two.
    Short,
    /// Sentences that take a quarter of a minute to say.
    Long,
    /// Two commands, then a sentence.
    Tools,
    /// A command that takes a quarter of a minute, then a sentence.
    Slow,
}

/// Of every so many turns one comes after the long pause.
const TURNS_PER_PAUSE: u64 = 30;

/// Endless.
pub(crate) struct Plan {
    dice: Dice,
    recordings: u64,
    pause: Duration,
    number: u64,
    before: Option<Script>,
}

impl Plan {
    pub(crate) fn new(seed: u64, recordings: usize, pause: Duration) -> Self {
        Self {
            dice: Dice::new(seed),
            recordings: recordings as u64,
            pause,
            number: 0,
            before: None,
        }
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.dice.roll(to_ms - from_ms))
    }
}

impl Iterator for Plan {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        let quiet = self.between(1_500, 10_000);
        let over = self.between(2_000, 7_000);
        let during = self.between(1_500, 5_000);
        let kind = self.dice.roll(3);
        let manner = match self.before {
            _ if self.number % TURNS_PER_PAUSE == 4 => Manner::After(self.pause),
            Some(Script::Long) if kind != 0 => Manner::Over(over),
            Some(Script::Slow) if kind != 0 => Manner::During(during),
            None | Some(Script::Short | Script::Long | Script::Tools | Script::Slow) => {
                Manner::After(quiet)
            }
        };
        let script = match (manner, self.dice.roll(8)) {
            // What is added to running work is not what the next one is added to.
            (Manner::During(_), _) | (_, 0..2) => Script::Short,
            (_, 2..5) => Script::Long,
            (_, 5) => Script::Tools,
            (_, _) => Script::Slow,
        };
        let recording = usize::try_from(self.dice.roll(self.recordings)).unwrap_or(0);
        self.number += 1;
        self.before = Some(script);
        Some(Turn { recording, manner, script })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_conversation_of_every_kind() {
        let pause = Duration::from_secs(240);
        let turns: Vec<Turn> = Plan::new(7, 7, pause).take(240).collect();
        assert_eq!(turns, Plan::new(7, 7, pause).take(240).collect::<Vec<_>>());
        assert_ne!(turns, Plan::new(8, 7, pause).take(240).collect::<Vec<_>>());
        let count = |is: fn(&Turn) -> bool| turns.iter().filter(|it| is(it)).count();
        let over = count(|it| matches!(it.manner, Manner::Over(_)));
        let during = count(|it| matches!(it.manner, Manner::During(_)));
        let tools = count(|it| it.script == Script::Tools);
        assert!(30 <= over && 20 <= during && 10 <= tools, "{over} {during} {tools}");
        let pauses = turns.iter().filter(|it| it.manner == Manner::After(pause)).count();
        assert_eq!(pauses, 8);
        assert!((0..7).all(|recording| turns.iter().any(|it| it.recording == recording)));
        for pair in turns.windows(2) {
            match pair[1].manner {
                Manner::After(_) => {}
                Manner::Over(_) => assert_eq!(pair[0].script, Script::Long),
                Manner::During(_) => assert_eq!(pair[0].script, Script::Slow),
            }
        }
    }
}
