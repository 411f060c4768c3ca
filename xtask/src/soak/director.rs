//! When the next thing is said, and what became of everything that was: a pure machine over
//! what the program tells, what sounds, and what its agent's model is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::{Manner, Script, Turn};

/// From the last sample of a question to its words. They take a second.
const HEARING_PATIENCE: Duration = Duration::from_secs(30);

/// From the last sample of a question to the end of its answer: the longest takes a minute.
const ANSWER_PATIENCE: Duration = Duration::from_secs(150);

/// Where the answer was over before it could be talked over.
const TOO_LATE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Note {
    /// A line of `talk --json`.
    Event(Value),
    /// The program has closed its output.
    Gone,
    /// The agent's model was asked something new.
    Asked,
    /// It writes what is to be spoken.
    Replying,
    /// The answer's sound begins, after a pause that is longer than those between sentences.
    Sounds,
    Quiet,
    /// The last sample of what was to be said is on its way.
    Said,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Say(Turn),
    /// Everything was said: the microphone ends.
    Finish,
}

/// What became of something that was said. Times are seconds since the beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) recording: usize,
    pub(crate) manner: Manner,
    pub(crate) script: Script,
    pub(crate) from_s: f64,
    pub(crate) until_s: Option<f64>,
    pub(crate) heard: Vec<String>,
    pub(crate) asked_s: Option<f64>,
    pub(crate) replying_s: Option<f64>,
    /// The answer's words were told, which is when they sound or while their acknowledgement does.
    pub(crate) spoken_s: Option<f64>,
    pub(crate) spoken: Vec<String>,
    pub(crate) answer: Option<String>,
    pub(crate) latency: Option<Value>,
    /// What it silenced.
    pub(crate) silenced: Option<Value>,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    Open,
    Answered,
    /// Its answer was sounding when the next thing was said.
    TalkedOver,
    /// The agent was working on it when the next thing was said, which has the answer to both.
    Joined,
    /// It never had words.
    Unheard,
    Unanswered,
}

/// Something that the program complained of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Complaint {
    pub(crate) at_s: u64,
    pub(crate) kind: String,
    pub(crate) message: String,
}

pub(crate) struct Director<P> {
    plan: P,
    next: Turn,
    /// Nothing new is said from then on.
    until: Duration,
    phase: Phase,
    sounds: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) complaints: Vec<Complaint>,
    /// The status in the program's last event.
    pub(crate) end: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is open.
    Free {
        since: Duration,
    },
    Saying,
    Open {
        said: Duration,
    },
    Finished,
}

/// `P` has no end.
impl<P: Iterator<Item = Turn>> Director<P> {
    pub(crate) fn new(mut plan: P, until: Duration, now: Duration) -> Self {
        let next = plan.next().unwrap_or(Turn {
            recording: 0,
            manner: Manner::After(TOO_LATE),
            script: Script::Short,
        });
        Self {
            plan,
            next,
            until,
            phase: Phase::Free { since: now },
            sounds: false,
            records: Vec::new(),
            complaints: Vec::new(),
            end: None,
        }
    }

    pub(crate) fn note(&mut self, note: Note, now: Duration) {
        let now_s = now.as_secs_f64();
        match &note {
            Note::Sounds => self.sounds = true,
            Note::Quiet => self.sounds = false,
            Note::Event(event) => self.listen(event, now),
            Note::Gone | Note::Asked | Note::Replying | Note::Said => {}
        }
        let Some(record) = self.records.last_mut() else { return };
        match note {
            Note::Said => {
                record.until_s = Some(now_s);
                self.phase = Phase::Open { said: now };
            }
            Note::Asked => record.asked_s = record.asked_s.or(Some(now_s)),
            Note::Replying => record.replying_s = record.replying_s.or(Some(now_s)),
            Note::Sounds | Note::Quiet | Note::Event(_) | Note::Gone => {}
        }
    }

    fn listen(&mut self, event: &Value, now: Duration) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let kind = text("type");
        if kind == "end" {
            self.end = Some(text("status"));
        }
        if matches!(kind.as_str(), "warning" | "error") {
            let message = text("message");
            self.complaints.push(Complaint { at_s: now.as_secs(), kind: kind.clone(), message });
        }
        let Some(record) = self.records.last_mut() else { return };
        match kind.as_str() {
            "user_transcript" => record.heard.push(text("text")),
            "spoken_transcript" => {
                record.spoken.push(text("text"));
                // What is spoken before only acknowledges the work.
                if record.replying_s.is_some() {
                    record.spoken_s = record.spoken_s.or(Some(now.as_secs_f64()));
                }
            }
            "silenced" => record.silenced = Some(event.clone()),
            // Before this one was heard, it is what became of the one before.
            "latency" if !record.heard.is_empty() => record.latency = Some(event.clone()),
            "answer" if !record.heard.is_empty() => record.answer = Some(text("text")),
            _ => {}
        }
    }

    /// To be asked often: a moment later nothing is lost.
    pub(crate) fn act(&mut self, now: Duration) -> Option<Act> {
        match self.phase {
            Phase::Saying | Phase::Finished => None,
            Phase::Free { since: _ } if self.until <= now => {
                self.phase = Phase::Finished;
                Some(Act::Finish)
            }
            Phase::Free { since } => {
                let quiet = match self.next.manner {
                    Manner::After(quiet) => quiet,
                    Manner::Over(_) | Manner::During(_) => TOO_LATE,
                };
                (since + quiet <= now && !self.sounds).then(|| self.say(now))
            }
            Phase::Open { said } => {
                let record = self.records.last_mut()?;
                let passed = |since: Option<f64>, time: Duration| {
                    since.is_some_and(|it| it + time.as_secs_f64() <= now.as_secs_f64())
                };
                let heard = !record.heard.is_empty();
                let goes_on = heard && now < self.until;
                record.fate = if record.answer.is_some() {
                    Fate::Answered
                } else if !heard && said + HEARING_PATIENCE <= now {
                    Fate::Unheard
                } else if said + ANSWER_PATIENCE <= now {
                    Fate::Unanswered
                } else {
                    match self.next.manner {
                        Manner::Over(time)
                            if goes_on && self.sounds && passed(record.spoken_s, time) =>
                        {
                            Fate::TalkedOver
                        }
                        Manner::During(time) if goes_on && passed(record.asked_s, time) => {
                            Fate::Joined
                        }
                        Manner::After(_) | Manner::Over(_) | Manner::During(_) => Fate::Open,
                    }
                };
                match record.fate {
                    Fate::Open => None,
                    Fate::Answered | Fate::Unheard | Fate::Unanswered => {
                        self.phase = Phase::Free { since: now };
                        None
                    }
                    Fate::TalkedOver | Fate::Joined => Some(self.say(now)),
                }
            }
        }
    }

    fn say(&mut self, now: Duration) -> Act {
        let turn = match self.plan.next() {
            Some(next) => std::mem::replace(&mut self.next, next),
            None => self.next.clone(),
        };
        self.records.push(Record {
            recording: turn.recording,
            manner: turn.manner,
            script: turn.script,
            from_s: now.as_secs_f64(),
            until_s: None,
            heard: Vec::new(),
            asked_s: None,
            replying_s: None,
            spoken_s: None,
            spoken: Vec::new(),
            answer: None,
            latency: None,
            silenced: None,
            fate: Fate::Open,
        });
        self.phase = Phase::Saying;
        Act::Say(turn)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Plays notes at seconds and asks what to do every half second between; what was said,
    /// and what became of it.
    fn play(plan: &[(Manner, Script)], until: u64, notes: &[(f64, Note)]) -> (Vec<f64>, Vec<Fate>) {
        let at = Duration::from_secs_f64;
        let mut director = Director::new(turns(plan), Duration::from_secs(until), Duration::ZERO);
        let mut said = Vec::new();
        let mut notes = notes.iter().peekable();
        for half in 0..800 {
            let now = f64::from(half) / 2.0;
            while let Some((_, note)) = notes.next_if(|(when, _)| *when <= now) {
                let note = match note {
                    Note::Event(event) => Note::Event(event.clone()),
                    Note::Gone => Note::Gone,
                    Note::Asked => Note::Asked,
                    Note::Replying => Note::Replying,
                    Note::Sounds => Note::Sounds,
                    Note::Quiet => Note::Quiet,
                    Note::Said => Note::Said,
                };
                director.note(note, at(now));
            }
            match director.act(at(now)) {
                Some(Act::Say(_)) => said.push(now),
                Some(Act::Finish) => break,
                None => {}
            }
        }
        (said, director.records.iter().map(|it| it.fate).collect())
    }

    /// These, and the last of them for ever.
    fn turns(plan: &[(Manner, Script)]) -> impl Iterator<Item = Turn> {
        let turn = |(manner, script): &(Manner, Script)| Turn {
            recording: 0,
            manner: *manner,
            script: *script,
        };
        let last = (Manner::After(Duration::from_secs(4)), Script::Short);
        plan.iter().map(turn).chain(std::iter::repeat_with(move || turn(&last)))
    }

    fn heard() -> Note {
        Note::Event(json!({ "type": "user_transcript", "text": "words" }))
    }

    fn spoken() -> Note {
        Note::Event(json!({ "type": "spoken_transcript", "text": "words" }))
    }

    fn answer() -> Note {
        Note::Event(json!({ "type": "answer", "text": "words" }))
    }

    const AFTER: Manner = Manner::After(Duration::from_secs(4));
    const OVER: Manner = Manner::Over(Duration::from_secs(2));
    const DURING: Manner = Manner::During(Duration::from_secs(3));

    #[test]
    fn a_question_waits_for_the_answer_before() {
        let notes = [(6.0, Note::Said), (7.0, heard()), (15.0, answer()), (30.0, Note::Said)];
        let (said, fates) = play(&[(AFTER, Script::Short), (AFTER, Script::Short)], 300, &notes);
        assert_eq!(said[..2], [4.0, 19.0]);
        assert_eq!(fates[..2], [Fate::Answered, Fate::Unheard]);
    }

    #[test]
    fn an_answer_is_talked_over_while_it_sounds() {
        let plan = [(AFTER, Script::Long), (OVER, Script::Short)];
        let notes = [
            (6.0, Note::Said),
            (6.5, heard()),
            // An acknowledgement is no answer.
            (6.5, Note::Sounds),
            (6.5, spoken()),
            (7.0, Note::Replying),
            (9.0, spoken()),
            (13.0, Note::Said),
            // Of the one that was talked over.
            (13.0, answer()),
            (14.0, heard()),
            (14.0, Note::Quiet),
            (20.0, answer()),
        ];
        let (said, fates) = play(&plan, 21, &notes);
        assert_eq!((said, fates), (vec![4.0, 11.0], vec![Fate::TalkedOver, Fate::Answered]));
    }

    #[test]
    fn work_is_added_to_while_it_goes_on() {
        let plan = [(AFTER, Script::Slow), (DURING, Script::Short)];
        let notes = [
            (6.0, Note::Said),
            (7.0, heard()),
            (8.0, Note::Asked),
            (13.0, Note::Said),
            (14.0, heard()),
        ];
        let (said, fates) = play(&plan, 200, &notes);
        assert_eq!(said[..2], [4.0, 11.0]);
        assert_eq!(fates[..2], [Fate::Joined, Fate::Unanswered]);
    }

    #[test]
    fn nothing_is_said_into_the_sound_that_is_over_too_soon() {
        let plan = [(AFTER, Script::Long), (OVER, Script::Short)];
        let notes = [
            (6.0, Note::Said),
            (7.0, heard()),
            (8.0, Note::Sounds),
            (8.0, Note::Replying),
            (8.0, spoken()),
            (8.5, answer()),
            (12.0, Note::Quiet),
        ];
        let (said, fates) = play(&plan, 40, &notes);
        assert_eq!(said[..2], [4.0, 12.0]);
        assert_eq!(fates[0], Fate::Answered);
    }

    #[test]
    fn complaints_are_kept() {
        let mut director = Director::new(turns(&[]), Duration::ZERO, Duration::ZERO);
        let warning = json!({ "type": "warning", "message": "slow" });
        director.note(Note::Event(warning), Duration::from_secs(3));
        director.note(Note::Event(json!({ "type": "end", "status": "done" })), Duration::ZERO);
        let expected = Complaint { at_s: 3, kind: "warning".into(), message: "slow".into() };
        assert_eq!(director.complaints, [expected]);
        assert_eq!(director.end.as_deref(), Some("done"));
    }
}
