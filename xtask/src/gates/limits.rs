//! The limits, as they are kept, and what a measurement is by them.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Everything of `evals/gates.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    made_with: Tools,
    #[serde(default, rename = "gate")]
    gates: Vec<Gate>,
}

/// What counted when the limits were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tools {
    /// As `std::env::consts::ARCH` has it.
    pub(super) machine: String,
    pub(super) rustc: String,
    pub(super) valgrind: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gate {
    name: String,
    value: f64,
    limit: f64,
    unit: String,
    how: String,
    date: String,
}

/// A number that was counted now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// Of what: `microphone`, `initialize`.
    pub(super) of: &'static str,
    pub(super) kind: Kind,
    pub(super) value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instructions,
    Allocations,
    AllocatedBytes,
    FilesOpened,
    Processes,
    Resident,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Fails(String),
    Notable(String),
}

/// MB that the engine may have in memory without models, whatever it had before: a promise to
/// people with small machines, which `--update` cannot break.
const RESIDENT_MB: f64 = 40.0;

impl Limits {
    pub(super) fn judge(&self, measured: &[Measured], tools: &Tools) -> Vec<Finding> {
        let known: Vec<String> = measured.iter().map(Measured::name).collect();
        let gone = self.gates.iter().filter(|gate| !known.contains(&gate.name));
        let gone = gone.map(|Gate { name, .. }| {
            Finding::Fails(format!(
                "{name}: nothing measures it any more; run `cargo xtask gates --update`"
            ))
        });
        measured.iter().filter_map(|it| self.judge_one(it, tools)).chain(gone).collect()
    }

    fn judge_one(&self, measured: &Measured, tools: &Tools) -> Option<Finding> {
        let name = measured.name();
        let Some(gate) = self.gate(&name) else {
            return Some(Finding::Fails(format!(
                "{name}: it has no limit yet; run `cargo xtask gates --update`"
            )));
        };
        let Gate { value, limit, date, .. } = gate;
        let shown = |number: f64| measured.kind.shown(number);
        let (now, was, most) = (shown(measured.value), shown(*value), shown(*limit));
        let counts = measured.kind == Kind::Instructions;
        if counts && self.made_with.machine != tools.machine {
            let (theirs, ours) = (&self.made_with.machine, &tools.machine);
            return Some(Finding::Notable(format!(
                "{name}: {now}, not judged: the limits are of {theirs}, this is {ours}"
            )));
        }
        if measured.value > *limit {
            let other = if counts { self.other_tools(tools) } else { String::new() };
            let look = measured.kind.look(measured.of);
            return Some(Finding::Fails(format!(
                "{name}: {now} is over the limit of {most} (it was {was} on {date}). \
                 {look}.{other} If the cost is meant, say why in the commit and run \
                 `cargo xtask gates --update`."
            )));
        }
        // As far below as the limit is above.
        if measured.value < *value - (*limit - *value) {
            return Some(Finding::Notable(format!(
                "{name}: {now} is well below the {was} of {date}: lower the limit with \
                 `cargo xtask gates --update`"
            )));
        }
        None
    }

    fn other_tools(&self, tools: &Tools) -> String {
        if self.made_with == *tools {
            return String::new();
        }
        let Tools { machine: _, rustc, valgrind } = &self.made_with;
        format!(
            " The limits were made with rustc {rustc} and valgrind {valgrind}; here are {} and {}, \
             which may be all there is to it.",
            tools.rustc, tools.valgrind
        )
    }

    fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    /// The limits that follow from what was measured. What has not changed keeps its date.
    pub(super) fn updated(&self, measured: &[Measured], tools: Tools, date: &str) -> Self {
        let gate = |measured: &Measured| {
            let Measured { of, kind, value } = measured;
            let made = Gate {
                name: measured.name(),
                value: *value,
                limit: kind.limit(*value),
                unit: kind.unit().to_owned(),
                how: kind.how(of),
                date: date.to_owned(),
            };
            match self.gate(&made.name) {
                Some(gate) if Gate { date: gate.date.clone(), ..made.clone() } == *gate => {
                    gate.clone()
                }
                Some(_) | None => made,
            }
        };
        Self { made_with: tools, gates: measured.iter().map(gate).collect() }
    }

    /// For people: what is, and what may be.
    pub(super) fn table(&self, measured: &[Measured]) -> String {
        let row = |it: &Measured| {
            let name = it.name();
            let limit = self.gate(&name).map_or("-".to_owned(), |it| Shown(it.limit).to_string());
            let (value, unit) = (Shown(it.value).to_string(), it.kind.unit());
            format!("{name:<36} {value:>9}  at most {limit:>9}  {unit}\n")
        };
        measured.iter().map(row).collect()
    }
}

impl Measured {
    pub(super) fn new(of: &'static str, kind: Kind, value: f64) -> Self {
        let value = match kind {
            // Two runs differ by a few: where a table of hashes grows is drawn at its start.
            Kind::Instructions => (value / 10.0).round() * 10.0,
            Kind::AllocatedBytes | Kind::FilesOpened | Kind::Processes => value.round(),
            Kind::Allocations | Kind::Resident => (value * 10.0).round() / 10.0,
        };
        Self { of, kind, value }
    }

    fn name(&self) -> String {
        let what = match self.kind {
            Kind::Instructions => "instructions",
            Kind::Allocations => "allocations",
            Kind::AllocatedBytes => "bytes allocated",
            Kind::FilesOpened => "files opened",
            Kind::Processes => "processes started",
            Kind::Resident => "resident memory",
        };
        format!("{}: {what}", self.of)
    }
}

impl Kind {
    /// Room for what differs between machines and compilers of the same month.
    fn limit(self, value: f64) -> f64 {
        match self {
            Self::Instructions => (value * 1.05).ceil(),
            // One more on each way is a change.
            Self::Allocations => value + 0.5,
            Self::AllocatedBytes => (value * 1.02).ceil(),
            Self::FilesOpened | Self::Processes => value,
            // Whole pages of what others have read before are there or not.
            Self::Resident => (value * 1.1).ceil().min(RESIDENT_MB),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::AllocatedBytes => "bytes",
            Self::FilesOpened => "files",
            Self::Processes => "processes",
            Self::Resident => "MB",
        }
    }

    /// Within a sentence, where the gate's name says what is counted.
    fn shown(self, value: f64) -> String {
        match self {
            Self::Resident => format!("{} MB", Shown(value)),
            Self::Instructions
            | Self::Allocations
            | Self::AllocatedBytes
            | Self::FilesOpened
            | Self::Processes => Shown(value).to_string(),
        }
    }

    fn how(self, of: &str) -> String {
        match self {
            Self::Instructions => {
                format!("callgrind on `hot-paths {of}`, user space, a long run less a short one")
            }
            Self::Allocations | Self::AllocatedBytes => {
                format!("the counting allocator of `hot-paths {of}`, after it is warm")
            }
            Self::FilesOpened => {
                "strace on `duet app-server` until it answers, /proc and /sys left out".to_owned()
            }
            Self::Processes => "strace on `duet app-server` until it answers".to_owned(),
            Self::Resident => "VmRSS of `duet app-server` once it has answered".to_owned(),
        }
    }

    /// What shows where the cost is.
    fn look(self, of: &str) -> String {
        match self {
            Self::Instructions => {
                format!("See where they go: `callgrind_annotate target/gates/{of}.callgrind`")
            }
            Self::Allocations | Self::AllocatedBytes => format!(
                "See who asks for them: `valgrind --tool=dhat target/release/hot-paths {of} 1000`"
            ),
            Self::FilesOpened | Self::Processes => {
                format!("The calls are in `target/gates/{of}.strace`")
            }
            Self::Resident => "See what is there: `pmap -x PID` of a `duet app-server`".to_owned(),
        }
    }
}

/// A number without a fraction that says nothing.
struct Shown(f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.fract() == 0.0 { write!(f, "{:.0}", self.0) } else { write!(f, "{:.1}", self.0) }
    }
}

impl FromStr for Limits {
    type Err = toml::de::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        toml::from_str(text)
    }
}

/// As the file has it.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made_with: Tools { machine, rustc, valgrind }, gates } = self;
        write!(
            f,
            "\
# What the hot paths and the start of the engine may cost. Written by `cargo xtask gates --update`,
# held by `cargo xtask gates`, explained in docs/benchmarks.md. A limit is the value and a margin;
# who raises one says why in the commit.

[made_with]
machine = {machine:?}
rustc = {rustc:?}
valgrind = {valgrind:?}
"
        )?;
        for Gate { name, value, limit, unit, how, date } in gates {
            let (value, limit) = (Shown(*value), Shown(*limit));
            write!(
                f,
                "
[[gate]]
name = {name:?}
value = {value}
limit = {limit}
unit = {unit:?}
how = {how:?}
date = {date:?}
"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Tools {
        let of = |text: &str| text.to_owned();
        Tools { machine: of("x86_64"), rustc: of("1.95.0"), valgrind: of("3.19.0") }
    }

    fn at(value: f64, kind: Kind) -> Measured {
        Measured::new("microphone", kind, value)
    }

    fn limits(measured: &[Measured]) -> Limits {
        Limits::default().updated(measured, tools(), "2026-11-24")
    }

    /// What is found of `now` where `then` was measured before.
    fn found(then: Measured, now: Measured) -> Vec<Finding> {
        limits(&[then]).judge(&[now], &tools())
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let limits = limits(&[
            at(55_237.0, Kind::Instructions),
            at(11.96, Kind::Allocations),
            Measured::new("initialize", Kind::FilesOpened, 8.0),
        ]);
        let text = limits.to_string();
        let gates = text.split_once("\n\n").unwrap().1;
        assert_eq!(
            gates,
            r#"[made_with]
machine = "x86_64"
rustc = "1.95.0"
valgrind = "3.19.0"

[[gate]]
name = "microphone: instructions"
value = 55240
limit = 58002
unit = "instructions"
how = "callgrind on `hot-paths microphone`, user space, a long run less a short one"
date = "2026-11-24"

[[gate]]
name = "microphone: allocations"
value = 12
limit = 12.5
unit = "allocations"
how = "the counting allocator of `hot-paths microphone`, after it is warm"
date = "2026-11-24"

[[gate]]
name = "initialize: files opened"
value = 8
limit = 8
unit = "files"
how = "strace on `duet app-server` until it answers, /proc and /sys left out"
date = "2026-11-24"
"#
        );
        assert_eq!(text.parse(), Ok(limits));
        assert!(text.replace("value", "values").parse::<Limits>().is_err());
    }

    #[test]
    fn over_the_limit_fails_and_says_how_to_look_into_it() {
        let found = found(at(1_000.0, Kind::Instructions), at(1_060.0, Kind::Instructions));
        let sentence = "microphone: instructions: 1060 is over the limit of 1050 (it \
                        was 1000 on 2026-11-24). See where they go: `callgrind_annotate \
                        target/gates/microphone.callgrind`. If the cost is meant, say why in the \
                        commit and run `cargo xtask gates --update`.";
        assert_eq!(found, [Finding::Fails(sentence.to_owned())]);
    }

    #[test]
    fn within_the_margin_is_nothing_to_say() {
        for (kind, then, least, most) in [
            (Kind::Instructions, 1_000.0, 950.0, 1_050.0),
            (Kind::Allocations, 12.0, 11.5, 12.5),
            (Kind::AllocatedBytes, 5_000.0, 4_900.0, 5_100.0),
            (Kind::FilesOpened, 8.0, 8.0, 8.0),
            (Kind::Processes, 1.0, 1.0, 1.0),
            (Kind::Resident, 13.5, 12.0, 15.0),
        ] {
            for now in [least, then, most] {
                assert_eq!(found(at(then, kind), at(now, kind)), [], "{kind:?}: {now}");
            }
            let step = if kind == Kind::Instructions { 10.0 } else { 1.0 };
            let over = found(at(then, kind), at(most + step, kind));
            assert!(matches!(over.as_slice(), [Finding::Fails(_)]), "{kind:?}: {over:?}");
            let below = found(at(then, kind), at(least - step, kind));
            assert!(matches!(below.as_slice(), [Finding::Notable(_)]), "{kind:?}: {below:?}");
        }
    }

    #[test]
    fn far_below_asks_for_a_lower_limit() {
        let found = found(at(12.0, Kind::Allocations), at(9.0, Kind::Allocations));
        let sentence = "microphone: allocations: 9 is well below the 12 of \
                        2026-11-24: lower the limit with `cargo xtask gates --update`";
        assert_eq!(found, [Finding::Notable(sentence.to_owned())]);
    }

    #[test]
    fn a_gate_without_a_limit_and_a_limit_without_a_gate_fail() {
        let limits = limits(&[at(1.0, Kind::Processes)]);
        let found = limits.judge(&[at(1.0, Kind::FilesOpened)], &tools());
        let sentences = [
            "microphone: files opened: it has no limit yet; run `cargo xtask gates --update`",
            "microphone: processes started: nothing measures it any more; run `cargo xtask gates \
             --update`",
        ];
        assert_eq!(found, sentences.map(|it| Finding::Fails(it.to_owned())));
    }

    #[test]
    fn another_compiler_is_named_and_another_machine_is_not_judged() {
        let limits = limits(&[at(1_000.0, Kind::Instructions), at(3.0, Kind::Allocations)]);
        let more = [at(2_000.0, Kind::Instructions), at(4.0, Kind::Allocations)];
        let newer = Tools { rustc: "1.96.0".to_owned(), ..tools() };
        let [Finding::Fails(instructions), Finding::Fails(allocations)] =
            &*limits.judge(&more, &newer)
        else {
            panic!("both are over");
        };
        let named = "made with rustc 1.95.0 and valgrind 3.19.0; here are 1.96.0 and 3.19.0";
        assert!(instructions.contains(named), "{instructions}");
        assert!(!allocations.contains("rustc"), "{allocations}");

        let other = Tools { machine: "aarch64".to_owned(), ..tools() };
        let [Finding::Notable(instructions), Finding::Fails(_)] = &*limits.judge(&more, &other)
        else {
            panic!("allocations are the same everywhere");
        };
        assert!(instructions.contains("limits are of x86_64, this is aarch64"), "{instructions}");
    }

    #[test]
    fn what_has_not_changed_keeps_its_date() {
        let before = limits(&[at(1_000.0, Kind::Instructions), at(3.0, Kind::Allocations)]);
        let now = [at(1_000.0, Kind::Instructions), at(4.0, Kind::Allocations)];
        let after = before.updated(&now, tools(), "2027-01-01");
        let dates: Vec<&str> = after.gates.iter().map(|gate| gate.date.as_str()).collect();
        assert_eq!(dates, ["2026-11-24", "2027-01-01"]);
        assert_eq!(after.judge(&now, &tools()), []);
    }

    #[test]
    fn memory_may_not_grow_over_what_was_promised() {
        let limits = limits(&[Measured::new("initialize", Kind::Resident, 39.0)]);
        let found = limits.judge(&[Measured::new("initialize", Kind::Resident, 40.5)], &tools());
        let [Finding::Fails(sentence)] = found.as_slice() else { panic!("{found:?}") };
        assert!(sentence.contains("40.5 MB is over the limit of 40 MB "), "{sentence}");
    }
}
