//! What the local ears make of recordings: how many words they mishear, and when they take the turn.
//!
//! The `ears` example of `speech` hears, with the decisions of the product and the sound as its
//! clock; here is decided what it hears, and how that counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::score::{Errors, words};
use super::{Arguments, FOLDER, cell, details, recording, stamp};
use crate::model_host::models;
use crate::requests::Requests;
use crate::step::{Guard, cargo, run, target_dir};

/// A recording, and what is said in it.
struct Clip {
    name: String,
    wav: PathBuf,
    text: String,
    /// Whose voice it is.
    voice: String,
    vocabulary: String,
}

/// What the ears made of it.
#[derive(Debug, Default, Deserialize)]
struct Heard {
    turns: Vec<Turn>,
    sound_ends_ms: u64,
    dips_ms: Vec<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Turn {
    taken_ms: u64,
    text: String,
    complete: Vec<f32>,
}

impl Heard {
    fn text(&self) -> String {
        self.turns.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The example, running.
struct Ears {
    _process: Guard,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Ears {
    fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        let build = ["build", "--release", "--locked", "--package", "speech", "--example", "ears"];
        run(&mut cargo(&build))?;
        let mut child = Command::new(target_dir()?.join("release/examples/ears"))
            .arg(models(arguments.models.as_deref())?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the ears")?;
        let to = child.stdin.take().context("stdin")?;
        let from = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Self { _process: Guard(child), to, from })
    }

    fn hear(&mut self, clip: &Clip, how: &Value) -> anyhow::Result<Heard> {
        let mut request = json!({ "wav": clip.wav, "vocabulary": clip.vocabulary });
        if let (Some(request), Some(how)) = (request.as_object_mut(), how.as_object()) {
            request.extend(how.clone());
        }
        writeln!(self.to, "{request}")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{}: the ears: {line}", clip.name))
    }
}

/// Who hears the words.
enum Listener {
    Now(Ears),
    /// What the run before heard, by the names of the clips.
    Before(BTreeMap<String, String>),
}

impl Listener {
    fn hear(&mut self, clip: &Clip) -> anyhow::Result<String> {
        match self {
            Self::Now(ears) => Ok(ears.hear(clip, &json!({}))?.text()),
            Self::Before(heard) => {
                heard.get(&clip.name).cloned().with_context(|| format!("{}: not heard", clip.name))
            }
        }
    }
}

fn heard_before(log: &str) -> anyhow::Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Line {
        name: String,
        heard: String,
    }
    let lines = log.lines().map(|line| serde_json::from_str(line).map_err(Into::into));
    lines.map(|line: anyhow::Result<Line>| line.map(|it| (it.name, it.heard))).collect()
}

/// Words misheard, of people.
pub(super) fn human(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(folder) = &arguments.human else {
        println!(
            "no recordings of people: fetch them as evals/voice/fetch_human.py says, and name --human DIR"
        );
        return Ok(());
    };
    transcribe("human", "5 %", &people(folder)?, arguments)
}

/// Words misheard, of coding phrases.
pub(super) fn phrases(arguments: &Arguments) -> anyhow::Result<()> {
    let named = match arguments.with_names {
        true => "phrases-with-names",
        false => "phrases",
    };
    transcribe(named, "10 %", &synthetic("phrases/", arguments.with_names)?, arguments)
}

fn transcribe(part: &str, goal: &str, clips: &[Clip], arguments: &Arguments) -> anyhow::Result<()> {
    let log = details(&format!("{}.jsonl", part.replace(' ', "-")))?;
    let mut ears = match arguments.rejudge {
        true => Listener::Before(heard_before(&fs::read_to_string(&log)?)?),
        false => Listener::Now(Ears::start(arguments)?),
    };
    let mut log = fs::File::create(log)?;
    let mut all = Errors::default();
    let mut voices: BTreeMap<&str, (usize, Errors)> = BTreeMap::new();
    let mut worst = Vec::new();
    for clip in chosen(clips, arguments) {
        let heard = ears.hear(clip)?;
        let errors = Errors::between(&words(&clip.text), &words(&heard));
        println!("{:>5.1} {}: {}\n      {heard}", errors.rate(), clip.name, clip.text);
        writeln!(
            log,
            "{}",
            json!({ "name": clip.name, "said": clip.text, "heard": heard, "wrong": errors.wrong() })
        )?;
        all += errors;
        let voice = voices.entry(&clip.voice).or_default();
        voice.0 += 1;
        voice.1 += errors;
        worst.push((errors, clip, heard));
    }
    println!("{part}: {all}");
    let mut page = format!(
        "{}. {} utterances, words misheard: **{all}** (goal: {goal}).\n\n| voice | utterances | words misheard |\n|---|---|---|\n",
        stamp(arguments)?,
        worst.len()
    );
    for (voice, (count, errors)) in &voices {
        writeln!(page, "| {voice} | {count} | {errors} |")?;
    }
    worst.sort_by_key(|it| std::cmp::Reverse(it.0.wrong()));
    let wrong = worst.iter().filter(|it| it.0.wrong() > 0).count();
    writeln!(page, "\n{wrong} utterances have an error; the worst:\n")?;
    writeln!(page, "| wrong | said | heard |\n|---|---|---|")?;
    for (errors, clip, heard) in worst.iter().filter(|it| it.0.wrong() > 0).take(25) {
        writeln!(
            page,
            "| {} | {}: {} | {} |",
            errors.wrong(),
            clip.name,
            cell(&clip.text),
            cell(heard)
        )?;
    }
    if arguments.record { super::record(part, &page) } else { Ok(()) }
}

/// How long speakers pause in the middle of a sentence here.
const PAUSE_MS: u64 = 600;

/// A turn is taken where the speaker has just ended if it is taken this soon: the net is asked
/// after 200 ms and after 500 ms, and voice activity notices an end late.
const SOON_MS: u64 = 700;

/// Voice activity notices this late that speech goes on.
const NOTICED_MS: u64 = 100;

/// Where an utterance is cut, or paused in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between any two words.
    Quietest,
    /// Where the voice itself says that it will go on.
    Comma,
}

/// What became of each way to hear a clip.
#[derive(Default)]
struct Turns {
    complete: (usize, usize),
    unfinished: (usize, usize),
    cut_off: (usize, usize),
    /// Of these, where the words before the pause cannot be all.
    cut_off_open: (usize, usize),
    waits_ms: Vec<u64>,
    uncut: usize,
}

/// Whether turns end where the speaker's do.
pub(super) fn turns(arguments: &Arguments) -> anyhow::Result<()> {
    let mut groups = vec![
        ("requests", Place::Quietest, synthetic("requests/", false)?),
        ("requests, where the speaker pauses", Place::Comma, synthetic("pauses/", false)?),
    ];
    if let Some(folder) = &arguments.human {
        groups.push(("people", Place::Quietest, people(folder)?));
        let mut paused = people(folder)?;
        paused.retain(|it| it.text.contains(','));
        groups.push(("people, at a comma", Place::Comma, paused));
    }
    let mut ears = Ears::start(arguments)?;
    let mut log = fs::File::create(details("turns.jsonl")?)?;
    let mut page = format!("{}.\n\n", stamp(arguments)?);
    page += "| who | complete, taken | unfinished, not taken | pauses of 600 ms, cut off | of these, the words so far no sentence | wait, p50 | p95 | most |\n";
    page += "|---|---|---|---|---|---|---|---|\n";
    let mut paused = Turns::default();
    for (group, place, clips) in &groups {
        let mut turns = Turns::default();
        for clip in chosen(clips, arguments) {
            let told = turns.hear(&mut ears, clip, *place)?;
            println!("{group} {}: {told}", clip.name);
            writeln!(log, "{}", json!({ "group": group, "name": clip.name, "told": told }))?;
        }
        writeln!(page, "| {group} | {} |", turns.cells())?;
        println!("{group}: {} clips were not cut", turns.uncut);
        if *place == Place::Comma {
            paused.add(&turns);
        }
    }
    writeln!(page, "| all, where the speaker pauses or at a comma | {} |", paused.cells())?;
    println!("{page}");
    if arguments.record { super::record("turns", &page) } else { Ok(()) }
}

impl Turns {
    fn hear(&mut self, ears: &mut Ears, clip: &Clip, place: Place) -> anyhow::Result<Value> {
        let whole = ears.hear(clip, &json!({}))?;
        // An utterance of several sentences may rightly be several turns: the last one counts.
        let wait = whole.turns.last().map(|it| it.taken_ms.saturating_sub(whole.sound_ends_ms));
        let taken = wait.is_some_and(|it| it <= SOON_MS);
        self.complete.0 += usize::from(taken);
        self.complete.1 += 1;
        self.waits_ms.extend(wait);

        let Some((cut, left)) = self.cut(ears, clip, &whole, place)? else {
            self.uncut += 1;
            return Ok(json!({ "wait_ms": wait, "cut_ms": null }));
        };
        // What counts is the turn at the cut: one that ended at a full stop before it is another.
        let taken = |heard: &Heard, until: u64| {
            let ends = left.sound_ends_ms;
            heard.turns.iter().any(|it| ends < it.taken_ms + NOTICED_MS && it.taken_ms <= until)
        };
        let unfinished = !taken(&left, left.sound_ends_ms + SOON_MS);
        self.unfinished.0 += usize::from(unfinished);
        self.unfinished.1 += 1;
        let pause = json!({ "pause": { "at_ms": cut, "ms": PAUSE_MS } });
        let paused = ears.hear(clip, &pause)?;
        let cut_off = taken(&paused, cut + PAUSE_MS + NOTICED_MS);
        self.cut_off.0 += usize::from(cut_off);
        self.cut_off.1 += 1;
        let open = is_open(&left.text());
        self.cut_off_open.0 += usize::from(cut_off && open);
        self.cut_off_open.1 += usize::from(open);
        Ok(json!({
            "wait_ms": wait, "cut_ms": cut, "heard_before_the_cut": left.text(),
            "unfinished": unfinished, "cut_off": cut_off, "open": open,
            "asked_whole": whole.turns.last().map(|it| &it.complete),
            "asked_cut": left.turns.last().map(|it| &it.complete),
        }))
    }

    /// The quietest place inside the utterance that is surely a boundary of words: what is heard up
    /// to there is what is said, word for word, with three words or more to come. And what is heard.
    fn cut(
        &self,
        ears: &mut Ears,
        clip: &Clip,
        whole: &Heard,
        place: Place,
    ) -> anyhow::Result<Option<(u64, Heard)>> {
        for &at in &whole.dips_ms {
            let left = ears.hear(clip, &json!({ "until_ms": at }))?;
            let heard = left.text();
            let here = match place {
                Place::Quietest => is_unfinished(&clip.text, &heard),
                Place::Comma => is_at_comma(&clip.text, &heard),
            };
            if here {
                return Ok(Some((at, left)));
            }
        }
        Ok(None)
    }

    fn cells(&self) -> String {
        let share = |(part, of): (usize, usize)| {
            format!("{part} of {of} ({:.0} %)", 100.0 * part as f64 / of.max(1) as f64)
        };
        let mut waits = self.waits_ms.clone();
        waits.sort_unstable();
        let at = |percent: usize| {
            let place = (waits.len() * percent).div_ceil(100).saturating_sub(1);
            waits.get(place).map_or_else(String::new, |ms| format!("{ms} ms"))
        };
        format!(
            "{} | {} | {} | {} | {} | {} | {}",
            share(self.complete),
            share(self.unfinished),
            share(self.cut_off),
            share(self.cut_off_open),
            at(50),
            at(95),
            at(100)
        )
    }

    fn add(&mut self, other: &Self) {
        let add = |to: &mut (usize, usize), more: (usize, usize)| {
            to.0 += more.0;
            to.1 += more.1;
        };
        add(&mut self.complete, other.complete);
        add(&mut self.unfinished, other.unfinished);
        add(&mut self.cut_off, other.cut_off);
        add(&mut self.cut_off_open, other.cut_off_open);
        self.waits_ms.extend(&other.waits_ms);
        self.uncut += other.uncut;
    }
}

/// Whether `heard` is the beginning of what is said, two words at least, and three or more follow
/// in the same sentence.
fn is_unfinished(said: &str, heard: &str) -> bool {
    let (whole, heard) = (words(said), words(heard));
    if heard.len() < 2 || !whole.starts_with(&heard) || whole.len() < heard.len() + 3 {
        return false;
    }
    // Where a sentence ends the turn may be taken.
    let mut at = 0;
    for sentence in said.split_inclusive(['.', '?', '!']) {
        at += words(sentence).len();
        if at == heard.len() {
            return false;
        }
    }
    true
}

/// Whether `heard` is what is said before one of the commas.
fn is_at_comma(said: &str, heard: &str) -> bool {
    let heard = words(heard);
    said.match_indices(',').any(|(at, _)| words(&said[..at]) == heard)
}

/// Whether more must come after these words: the last one leads to another.
fn is_open(heard: &str) -> bool {
    const LEADS_ON: &[&str] = &[
        "a", "an", "the", "this", "these", "my", "your", "his", "her", "its", "our", "their", "of",
        "to", "from", "for", "with", "without", "in", "into", "on", "at", "by", "about", "between",
        "and", "or", "but", "if", "when", "because", "that", "which", "than", "as", "is", "are",
        "was", "were", "be", "do", "does", "did", "have", "has", "may", "can", "we", "i", "you",
        "he", "it", "they", "not", "how", "what", "any", "every", "some", "very", "too", "one",
    ];
    words(heard).last().is_some_and(|last| LEADS_ON.contains(&last.as_str()))
}

fn chosen<'c>(clips: &'c [Clip], arguments: &Arguments) -> impl Iterator<Item = &'c Clip> {
    let only = arguments.matching.clone().unwrap_or_default();
    clips.iter().filter(move |it| it.name.contains(&only))
}

#[derive(Deserialize)]
struct People {
    source: BTreeMap<String, Source>,
    utterance: Vec<Utterance>,
}

#[derive(Deserialize)]
struct Source {
    speaker: String,
}

#[derive(Deserialize)]
struct Utterance {
    id: String,
    source: String,
    text: String,
}

fn people(folder: &Path) -> anyhow::Result<Vec<Clip>> {
    let text = fs::read_to_string(Path::new(FOLDER).join("human.toml"))?;
    let People { source, utterance } = toml::from_str(&text).context("human.toml")?;
    let clip = |Utterance { id, source: name, text }| {
        let voice = source.get(&name).map_or(name, |it| it.speaker.clone());
        let wav = folder.join(format!("{id}.wav"));
        Clip { name: id, wav, text, voice, vocabulary: String::new() }
    };
    Ok(utterance.into_iter().map(clip).collect())
}

#[derive(Deserialize)]
struct Spoken {
    name: String,
    voice: String,
    rate: f64,
    text: String,
}

/// What `synthesise.py` made.
fn synthetic(group: &str, with_names: bool) -> anyhow::Result<Vec<Clip>> {
    let folder = Path::new(FOLDER);
    let text = fs::read_to_string(folder.join("recordings/index.json"))?;
    let spoken: Vec<Spoken> = serde_json::from_str(&text).context("recordings/index.json")?;
    let vocabulary = if with_names { names()? } else { String::new() };
    let clip = |Spoken { name, voice, rate, text }| Clip {
        wav: recording(folder, &name),
        name,
        text,
        voice: format!("{voice}, rate {rate}"),
        vocabulary: vocabulary.clone(),
    };
    Ok(spoken.into_iter().filter(|it| it.name.starts_with(group)).map(clip).collect())
}

/// The names of the files of the three repositories, as a client could give them.
fn names() -> anyhow::Result<String> {
    let requests = Requests::read(FOLDER, "requests.toml")?;
    let mut names = std::collections::BTreeSet::new();
    for repository in requests.repositories.keys() {
        files(&Path::new(FOLDER).join(repository), &mut names)?;
    }
    Ok(names.into_iter().collect::<Vec<_>>().join(", "))
}

fn files(folder: &Path, names: &mut std::collections::BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), names)?;
        } else {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_unfinished_inside_a_sentence_only() {
        let said = "Add a function called halve. It should return the recipe.";
        assert!(is_unfinished(said, "Add a function"));
        assert!(is_unfinished(said, "add a function called halve it should"));
        for heard in [
            "Add",                                               // too little to know
            "Add a function called half", // misheard: who knows where this is
            "Add a function called halve.", // a sentence, whole
            "Add a function called halve. It should return the", // only one word is to come
        ] {
            assert!(!is_unfinished(said, heard), "{heard}");
        }
    }

    #[test]
    fn what_was_heard_before_is_found_by_its_name() {
        let log = "{\"name\":\"a\",\"said\":\"x\",\"heard\":\"y z\",\"wrong\":2}\n";
        let heard = heard_before(log).expect("a line");
        assert_eq!(heard.get("a").map(String::as_str), Some("y z"));
        assert!(heard_before("nothing").is_err());
    }

    #[test]
    fn a_pause_is_at_a_comma() {
        let said = "Open the file, read it, and close it.";
        assert!(is_at_comma(said, "Open the file..."));
        assert!(is_at_comma(said, "open the file read it"));
        assert!(!is_at_comma(said, "open the"));
        assert!(!is_at_comma(said, said));
    }

    #[test]
    fn some_words_cannot_be_the_last() {
        assert!(is_open("Which exit code does the"));
        assert!(!is_open("Please enter your password."));
    }

    #[test]
    fn shares_and_waits_are_told() {
        let waits_ms = (1..=20).rev().map(|it| it * 10).collect();
        let mut turns = Turns { complete: (19, 20), waits_ms, ..Turns::default() };
        turns.add(&Turns { unfinished: (3, 4), cut_off: (1, 4), ..Turns::default() });
        assert_eq!(
            turns.cells(),
            "19 of 20 (95 %) | 3 of 4 (75 %) | 1 of 4 (25 %) | 0 of 0 (0 %) | 100 ms | 190 ms | 200 ms"
        );
    }
}
