//! Whether two hours were as good at their end as at their beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::director::{Complaint, Fate, Record};
use super::plan::Manner;
use super::processes::Held;
use super::sound::Clocks;

/// One look at everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Seconds since the conversation began.
    pub(crate) at_s: f64,
    pub(crate) processes: BTreeMap<String, Held>,
    pub(crate) clocks: Clocks,
    /// Of the machine, in the last minute.
    pub(crate) load: f64,
}

/// Everything that was seen.
pub(crate) struct Seen<'a> {
    pub(crate) samples: &'a [Sample],
    pub(crate) records: &'a [Record],
    pub(crate) complaints: &'a [Complaint],
    /// The status in the last event, where there was one.
    pub(crate) end: Option<&'a str>,
    /// What was said, by recording.
    pub(crate) words: &'a [String],
}

/// Most growth of each process in MB an hour, once it is warm. The engine keeps what was said,
/// and the model host caches that grow by what they are given.
const GROWTH: [(&str, f64); 3] = [("model-host", 20.0), ("spawner", 1.0), ("talk", 4.0)];

/// A slope of less time says more about the moment than about growth.
const LEAST_MINUTES: f64 = 20.0;

/// Of the sound that is received, between slips.
const DRIFT_PPM: f64 = 50.0;

/// A program that was not given the processor for longer than 100 ms does not make up for all of
/// it, as no player would: its clock slips. That is told apart from drift by its size, in
/// milliseconds between two looks.
const SLIP: f64 = 20.0;

/// Slips in milliseconds altogether, on a machine that is not asked for more than it has.
const SLIPPED: f64 = 250.0;

/// Sound is written 60 ms before it should sound; this is too much, in milliseconds.
const AHEAD: f64 = 200.0;

/// What may wait in the microphone's pipe for most of the time, in milliseconds: on a machine that
/// is not asked for more than it has, and on any.
const BACKLOG: (f64, f64) = (100.0, 500.0);

/// Part of a question's words that were heard, below which it counts as misheard.
const HEARD: f64 = 0.5;

/// How much came of it, and what is wrong.
pub(crate) fn judge(seen: &Seen<'_>) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut problems = Vec::new();
    let minutes = seen.samples.last().map_or(0.0, |it| it.at_s / 60.0);
    let load = seen.samples.iter().map(|it| it.load);
    writeln!(
        text,
        "{minutes:.0} minutes; load average {:.1} (median; 1 is one core), {:.1} at most.\n",
        median(load.clone()),
        load.fold(0.0, f64::max),
    )
    .ok();
    turns(seen, &mut text, &mut problems);
    memory(seen.samples, &mut text, &mut problems);
    clocks(seen.samples, &mut text, &mut problems);
    match seen.end {
        Some("done") => {}
        Some(status) => problems.push(format!("the conversation ended as `{status}`")),
        None => problems.push("the conversation did not end by itself".to_owned()),
    }
    text.push_str(&complaints(seen.complaints));
    let verdict = if problems.is_empty() {
        "**Passed.**\n".to_owned()
    } else {
        problems.iter().map(|it| format!("* **{it}**\n")).collect()
    };
    (format!("{verdict}\n{text}"), problems)
}

fn turns(seen: &Seen<'_>, text: &mut String, problems: &mut Vec<String>) {
    let records = seen.records;
    let count = |is: &dyn Fn(&Record) -> bool| records.iter().filter(|it| is(it)).count();
    let lost = |it: &Record| matches!(it.fate, Fate::Unheard | Fate::Unanswered);
    for (number, record) in (1..).zip(records).filter(|(_, it)| lost(it)) {
        let what = match record.fate {
            Fate::Unheard => "was not heard",
            _ => "was not answered",
        };
        let words = seen.words.get(record.recording).map_or("?", String::as_str);
        problems.push(format!("turn {number} at {:.0} s {what}: {words}", record.from_s));
    }
    if records.is_empty() {
        problems.push("nothing was said".to_owned());
    }
    let misheard = count(&|it| {
        let expected = seen.words.get(it.recording).map_or("", String::as_str);
        !it.heard.is_empty() && part_heard(expected, &it.heard.join(" ")) < HEARD
    });
    let over = |it: &Record| matches!(it.manner, Manner::Over(_));
    writeln!(
        text,
        "{} things were said: {} answered to the end, {} talked over while the answer sounded, \
         {} joined by what was said while the agent worked, {} lost. {} of them were misheard \
         (less than half of the words).\n",
        records.len(),
        count(&|it| it.fate == Fate::Answered),
        count(&|it| it.fate == Fate::TalkedOver),
        count(&|it| it.fate == Fate::Joined),
        count(&lost),
        misheard,
    )
    .ok();
    let silenced: Vec<f64> =
        records.iter().filter_map(|it| it.silenced.as_ref()?["after_ms"].as_f64()).collect();
    if let Some(most) = silenced.iter().copied().reduce(f64::max) {
        writeln!(
            text,
            "Of {} that were said into a sounding answer, {} silenced it: {:.0} ms after speech was \
             heard at the median, {most:.0} at most.\n",
            count(&over),
            count(&|it| over(it) && it.silenced.is_some()),
            median(silenced.iter().copied()),
        )
        .ok();
    }
    let last_s = seen.samples.last().map_or(0.0, |it| it.at_s);
    let window = window(last_s);
    text.push_str(
        "| latency, ms | n | median | first part | last part | max |\n|---|---|---|---|---|---|\n",
    );
    for stage in ["transcribed_ms", "acknowledged_ms", "answer_ms"] {
        let all: Vec<(f64, f64)> = records
            .iter()
            .filter_map(|it| Some((it.from_s, it.latency.as_ref()?[stage].as_f64()?)))
            .collect();
        let values = || all.iter().map(|(_, value)| *value);
        let part = |from: f64, to: f64| {
            median(all.iter().filter(|(at, _)| from <= *at && *at <= to).map(|(_, it)| *it))
        };
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            stage.trim_end_matches("_ms"),
            all.len(),
            median(values()),
            part(0.0, window),
            part(last_s - window, last_s),
            values().fold(f64::NAN, f64::max),
        )
        .ok();
    }
    text.push('\n');
}

fn memory(samples: &[Sample], text: &mut String, problems: &mut Vec<String>) {
    let last_s = samples.last().map_or(0.0, |it| it.at_s);
    let window = window(last_s);
    let names: BTreeSet<&String> = samples.iter().flat_map(|it| it.processes.keys()).collect();
    text.push_str(
        "| process | MB | first part | last part | max | MB an hour |\n|---|---|---|---|---|---|\n",
    );
    let mut others = String::from(
        "| process | files first, last, max | threads first, last, max | processor seconds a minute | seconds a minute it waited for a processor |\n|---|---|---|---|---|\n",
    );
    for name in names {
        let of = |value: &dyn Fn(&Held) -> f64| -> Vec<(f64, f64)> {
            let point = |it: &Sample| Some((it.at_s, value(it.processes.get(name)?)));
            samples.iter().filter_map(point).collect()
        };
        for (kind, value) in [
            ("resident", (|it| it.rss) as fn(&Held) -> f64),
            ("of that in no file", |it| it.anonymous),
            ("proportional", |it| it.pss),
        ] {
            let points = of(&value);
            let warm: Vec<(f64, f64)> =
                points.iter().filter(|it| window <= it.0).map(|it| (it.0 / 3600.0, it.1)).collect();
            let growth = slope(&warm);
            let Parts { first, last, max } = Parts::of(&points, last_s);
            writeln!(
                text,
                "| `{name}` | {kind} | {first:.1} | {last:.1} | {max:.1} | {growth:+.2} |"
            )
            .ok();
            let limit = GROWTH.iter().find(|it| it.0 == name).map(|it| it.1);
            if let Some(limit) = limit
                && kind == "resident"
                && LEAST_MINUTES * 60.0 <= last_s - window
                && limit < growth
            {
                problems
                    .push(format!("`{name}` grows by {growth:.1} MB an hour, more than {limit}"));
            }
        }
        let files = Parts::of(&of(&|it| it.files as f64), last_s);
        let threads = Parts::of(&of(&|it| it.threads), last_s);
        let a_minute = |points: &[(f64, f64)]| match (points.first(), points.last()) {
            (Some(from), Some(to)) if from.0 < to.0 => (to.1 - from.1) / (to.0 - from.0) * 60.0,
            _ => 0.0,
        };
        let cpu = a_minute(&of(&|it| it.cpu_s));
        let waited = a_minute(&of(&|it| it.waited_s));
        writeln!(
            others,
            "| `{name}` | {:.0}, {:.0}, {:.0} | {:.0}, {:.0}, {:.0} | {cpu:.1} | {waited:.1} |",
            files.first, files.last, files.max, threads.first, threads.last, threads.max
        )
        .ok();
        // A connection of the moment is one more.
        if files.first + 8.0 < files.last {
            problems.push(format!("`{name}` opens files and does not close them"));
        }
        if threads.first + 8.0 < threads.last {
            problems.push(format!("`{name}` starts threads and does not end them"));
        }
    }
    writeln!(text, "\n{others}").ok();
}

fn clocks(samples: &[Sample], text: &mut String, problems: &mut Vec<String>) {
    let heard: Vec<&Sample> = samples.iter().filter(|it| 0 < it.clocks.samples_out).collect();
    let leads: Vec<(f64, f64)> = heard.iter().map(|it| (it.at_s, it.clocks.lead_max)).collect();
    let Drift { ppm, slips, slipped } = Drift::of(&leads);
    let least = heard.iter().map(|it| it.clocks.lead_min).fold(f64::NAN, f64::min);
    let most = heard.iter().map(|it| it.clocks.lead_max).fold(f64::NAN, f64::max);
    let backlog = || samples.iter().map(|it| it.clocks.backlog);
    let (waits, waited) = (median(backlog()), backlog().fold(0.0, f64::max));
    let late = samples.iter().map(|it| it.clocks.late).fold(0.0, f64::max);
    let last_s = samples.last().map_or(0.0, |it| it.at_s);
    let Parts { first, last, max: _ } = Parts::of(&leads, last_s);
    writeln!(
        text,
        "Sound that was received, less the time since it began (the most of each 10 s): {first:.0} \
         ms in the first part, {last:.0} ms in the last; at any time between {least:.0} and \
         {most:.0} ms. Drift {ppm:+.2} ppm between {slips} slips of {slipped:.0} ms altogether. \
         What waited in the microphone's pipe (the most of each 10 s): {waits:.0} ms at the \
         median, {waited:.0} at most; our own microphone was never more than {late:.0} ms late.\n",
    )
    .ok();
    if heard.is_empty() {
        problems.push("nothing was received from the player's pipe".to_owned());
        return;
    }
    if LEAST_MINUTES * 60.0 <= last_s && DRIFT_PPM < ppm.abs() {
        problems.push(format!("the output drifts by {ppm:.0} ppm"));
    }
    if !is_busy(samples) && SLIPPED < slipped.abs() {
        problems.push(format!("the output slips by {slipped:.0} ms on a machine that is not busy"));
    }
    if AHEAD < most {
        problems.push(format!("the output was {most:.0} ms ahead"));
    }
    let most = if is_busy(samples) { BACKLOG.1 } else { BACKLOG.0 };
    if most < waits {
        problems.push(format!("{waits:.0} ms of the input wait all the time"));
    }
}

/// Whether it is asked for more than it has most of the time: the benches' two cores.
fn is_busy(samples: &[Sample]) -> bool {
    2.0 < median(samples.iter().map(|it| it.load))
}

struct Drift {
    ppm: f64,
    slips: usize,
    /// In milliseconds; negative where sound is missing.
    slipped: f64,
}

impl Drift {
    /// Of milliseconds ahead, at seconds. Whether sound or silence was written makes a step of
    /// 60 ms there and back.
    fn of(leads: &[(f64, f64)]) -> Self {
        let (mut calm_s, mut calm_ms, mut slips, mut slipped) = (0.0, 0.0, 0, 0.0);
        for pair in leads.windows(2) {
            let (seconds, ms) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            if ms.abs() < SLIP {
                calm_s += seconds;
                calm_ms += ms;
            } else {
                slips += 1;
                slipped += ms;
            }
        }
        // Milliseconds a second are thousandths.
        let ppm = if 0.0 < calm_s { calm_ms / calm_s * 1e3 } else { 0.0 };
        Self { ppm, slips, slipped }
    }
}

/// Each once, with how often it came.
fn complaints(complaints: &[Complaint]) -> String {
    let mut counts: BTreeMap<(&str, &str), (usize, u64)> = BTreeMap::new();
    for Complaint { at_s, kind, message } in complaints {
        counts.entry((kind, message)).or_insert((0, *at_s)).0 += 1;
    }
    let line = |((kind, message), (count, at_s)): (&(&str, &str), &(usize, u64))| {
        format!("* {count} × {kind}, first at {at_s} s: {message}\n")
    };
    counts.iter().map(line).collect()
}

/// The part of the run that is compared with another: half an hour, of shorter runs a quarter.
/// The first is also what it takes to get warm.
fn window(last_s: f64) -> f64 {
    (last_s / 4.0).min(1_800.0)
}

struct Parts {
    first: f64,
    last: f64,
    max: f64,
}

impl Parts {
    /// Medians.
    fn of(points: &[(f64, f64)], last_s: f64) -> Self {
        let window = window(last_s);
        let part = |is: &dyn Fn(f64) -> bool| {
            median(points.iter().filter(|(at, _)| is(*at)).map(|(_, value)| *value))
        };
        Self {
            first: part(&|at| at <= window),
            last: part(&|at| last_s - window <= at),
            max: points.iter().map(|it| it.1).fold(f64::NAN, f64::max),
        }
    }
}

/// NaN of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of the straight line with the least squares. 0 where there is no line.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let (mut above, mut below) = (0.0, 0.0);
    for point in points {
        above += (point.0 - x) * (point.1 - y);
        below += (point.0 - x).powi(2);
    }
    if 0.0 < below { above / below } else { 0.0 }
}

/// The part of the expected words that was heard, in any order.
fn part_heard(expected: &str, heard: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let letters = |it: &str| it.chars().filter(|it| it.is_alphanumeric()).collect::<String>();
        text.to_lowercase().split([' ', '-']).map(letters).filter(|it| !it.is_empty()).collect()
    };
    let expected = words(expected);
    let mut heard = words(heard);
    let found = expected.iter().filter(|word| {
        let at = heard.iter().position(|it| it == *word);
        at.map(|at| heard.remove(at)).is_some()
    });
    found.count() as f64 / expected.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::plan::Script;
    use super::*;

    #[test]
    fn the_line_through_points() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), 2.0);
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 0.0), (2.0, 1.0)]), 0.0);
        assert_eq!(slope(&[(3.0, 1.0)]), 0.0);
        assert_eq!(slope(&[]), 0.0);
    }

    #[test]
    fn words_are_found_whatever_their_spelling() {
        assert_eq!(
            part_heard("Which tests are failing, and why?", "which tests are failing"),
            4.0 / 6.0
        );
        assert_eq!(part_heard("Are there to-do comments?", "Are there to do comments"), 1.0);
        assert_eq!(part_heard("a a", "a"), 0.5);
        assert_eq!(part_heard("What?", ""), 0.0);
    }

    /// Two hours, a look a minute.
    fn samples(rss: fn(f64) -> f64, lead: fn(f64) -> f64) -> Vec<Sample> {
        let sample = |minute: u32| {
            let at_s = f64::from(minute) * 60.0;
            let held = Held {
                count: 1,
                rss: rss(at_s / 3600.0),
                anonymous: 20.0,
                pss: 30.0,
                cpu_s: at_s / 10.0,
                files: 20,
                threads: 8.0,
                waited_s: at_s / 60.0,
            };
            let lead = lead(at_s);
            Sample {
                at_s,
                processes: BTreeMap::from([("talk".to_owned(), held)]),
                clocks: Clocks {
                    lead_min: lead,
                    lead_max: lead + 60.0,
                    lead,
                    backlog: 20.0,
                    samples_out: 1,
                    ..Clocks::default()
                },
                load: 1.5,
            }
        };
        (0..=120).map(sample).collect()
    }

    fn record(fate: Fate) -> Record {
        Record {
            recording: 0,
            manner: Manner::Over(Duration::ZERO),
            script: Script::Short,
            from_s: 10.0,
            until_s: Some(12.0),
            heard: vec!["What fails?".to_owned()],
            asked_s: None,
            replying_s: None,
            spoken_s: None,
            spoken: Vec::new(),
            answer: None,
            latency: Some(json!({ "answer_ms": 700 })),
            silenced: Some(json!({ "after_ms": 40 })),
            fate,
        }
    }

    fn problems(samples: &[Sample], fates: &[Fate], end: Option<&str>) -> Vec<String> {
        let records: Vec<Record> = fates.iter().copied().map(record).collect();
        let words = ["What fails?".to_owned()];
        judge(&Seen { samples, records: &records, complaints: &[], end, words: &words }).1
    }

    #[test]
    fn what_is_flat_and_complete_passes() {
        // It takes half an hour to get warm.
        let steady = samples(|hour| 30.0 + 20.0 * hour.min(0.5), |_| 40.0);
        let fates = [Fate::Answered, Fate::TalkedOver, Fate::Joined];
        assert_eq!(problems(&steady, &fates, Some("done")), [""; 0]);
        let records = fates.map(record);
        let complaint = |at_s| Complaint { at_s, kind: "warning".into(), message: "slow".into() };
        let (text, _) = judge(&Seen {
            samples: &steady,
            records: &records,
            complaints: &[complaint(7), complaint(9)],
            end: Some("done"),
            words: &["What fails?".to_owned()],
        });
        for part in [
            "**Passed.**",
            "120 minutes; load average 1.5",
            "3 things were said: 1 answered to the end, 1 talked over",
            "Of 3 that were said into a sounding answer, 3 silenced it: 40 ms after",
            "| answer | 3 | 700 | 700 | NaN | 700 |",
            "| `talk` | resident | 35.0 | 40.0 | 40.0 | +0.00 |",
            "| `talk` | 20, 20, 20 | 8, 8, 8 | 6.0 | 1.0 |",
            "Drift +0.00 ppm between 0 slips of 0 ms",
            "* 2 × warning, first at 7 s: slow",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn every_fault_is_found() {
        let done = Some("done");
        let flat: fn(f64) -> f64 = |_| 30.0;
        let fates = [Fate::Answered];
        assert_eq!(
            problems(&samples(|hour| 30.0 + 5.0 * hour, flat), &fates, done),
            ["`talk` grows by 5.0 MB an hour, more than 4"]
        );
        assert_eq!(
            problems(&samples(flat, |at_s| at_s * -0.12), &fates, done),
            ["the output drifts by -120 ppm"]
        );
        let slipped = samples(flat, |at_s| if at_s < 3_600.0 { 40.0 } else { -300.0 });
        assert_eq!(
            problems(&slipped, &fates, done),
            ["the output slips by -340 ms on a machine that is not busy"]
        );
        let ahead = samples(flat, |_| 150.0);
        assert_eq!(problems(&ahead, &fates, done), ["the output was 210 ms ahead"]);
        let lost = [Fate::Answered, Fate::Unheard, Fate::Unanswered];
        assert_eq!(
            problems(&samples(flat, flat), &lost, done),
            [
                "turn 2 at 10 s was not heard: What fails?",
                "turn 3 at 10 s was not answered: What fails?"
            ]
        );
        assert_eq!(problems(&samples(flat, flat), &[], done), ["nothing was said"]);
        assert_eq!(
            problems(&samples(flat, flat), &fates, Some("failed")),
            ["the conversation ended as `failed`"]
        );
        assert_eq!(
            problems(&samples(flat, flat), &fates, None),
            ["the conversation did not end by itself"]
        );
        // A machine with too much to do is no fault of ours; what never comes to its end is.
        let mut busy = samples(flat, |at_s| if at_s < 3_600.0 { 40.0 } else { -300.0 });
        for sample in &mut busy {
            sample.load = 6.0;
            sample.clocks.backlog = 150.0;
        }
        assert_eq!(problems(&busy, &fates, done), [""; 0]);
        for sample in &mut busy {
            sample.clocks.backlog = 600.0;
        }
        let expected = ["600 ms of the input wait all the time"];
        assert_eq!(problems(&busy, &fates, done), expected);
        let mut leaky = samples(flat, flat);
        for sample in &mut leaky {
            let held = sample.processes.get_mut("talk").unwrap();
            held.files += (sample.at_s / 300.0) as usize;
            held.threads += sample.at_s / 300.0;
            sample.clocks.backlog = 150.0;
        }
        assert_eq!(
            problems(&leaky, &fates, done),
            [
                "`talk` opens files and does not close them",
                "`talk` starts threads and does not end them",
                "150 ms of the input wait all the time"
            ]
        );
    }
}
