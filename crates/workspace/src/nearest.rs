//! Finds the lines that have most of a request's words, where no line has the text itself.
//!
//! A person who speaks does not know how the code spells a thing: "how often does the worker
//! retry" is `MAX_RETRIES` in `worker.js`. Words count the more the rarer they are; a word of
//! the file's path counts a little for each of its lines.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::beneath::Root;
use crate::patience::Patience;
use crate::search::{Found, Match, SearchLimits, files_below, looks_binary, words};

/// A line that sets a number counts so much more where one is asked for: what talks about it has more
/// of the words.
const SET: f64 = 1.8;

/// One bit each.
const MAX_WORDS: usize = 32;

/// Lines that are weighed; a repository with more of them has asked for a common word.
const MAX_CANDIDATES: usize = 20_000;

/// Words like those that were spoken.
const MAX_VOCABULARY: usize = 1_000;

/// What every sentence has and no line is about.
const SMALL_WORDS: &str = " a about all an and any are as at be been being between by can could did do does \
                           everything for from has have he how i if in into is it its many me much my not of \
                           often on one only or our out please she should so some somebody that the their \
                           them then there these they this those to used uses was we were what when where \
                           which who why will with would you your ";

/// What people say, and how code writes it.
struct Meant {
    said: &'static [&'static str],
    written: &'static [&'static str],
}

/// Bounds are asked for in many words and written in few; the rest is spelling.
const MEANT: [Meant; 6] = [
    Meant {
        said: &["long", "longest", "largest", "biggest", "highest", "most", "maximum", "limit"],
        written: &["max", "maximum", "limit"],
    },
    Meant {
        said: &["shortest", "smallest", "lowest", "least", "fewest", "minimum"],
        written: &["min", "minimum"],
    },
    Meant { said: &["directory", "folder"], written: &["dir", "path"] },
    Meant { said: &["licence", "licensed"], written: &["license"] },
    Meant { said: &["colour"], written: &["color"] },
    Meant { said: &["number"], written: &["count", "num"] },
];

/// The best lines of the files that git would not ignore, best first.
///
/// Ends early, [`Found::cut`], with its own limits or with the patience of who asked.
///
/// A word that no file has is taken for one that differs by a letter, where there is one: what is
/// spoken is misheard.
pub fn nearest(root: &Root, text: &str, limits: SearchLimits, patience: &Patience) -> Found {
    let until = Instant::now() + limits.time;
    let wanted = match wanted(text) {
        // "What does `find` do" is about a small word, there being no other.
        none if none.iter().all(|it| it.is_made) => {
            words(text).iter().take(MAX_WORDS).map(|it| Word::said(it.to_lowercase())).collect()
        }
        some => some,
    };
    let (found, misheard) = look(root, text, wanted.clone(), limits, until, patience);
    if misheard.is_empty() || found.cut {
        return found;
    }
    let meant = |word: Word| match misheard.iter().find(|it| it.0 == word.text) {
        Some((_, meant)) => Word { text: meant.clone(), ..word },
        None => word,
    };
    look(root, text, wanted.into_iter().map(meant).collect(), limits, until, patience).0
}

/// And the words that are in no file, each with the one that it is taken for.
fn look(
    root: &Root,
    text: &str,
    wanted: Vec<Word>,
    limits: SearchLimits,
    until: Instant,
    patience: &Patience,
) -> (Found, Vec<(String, String)>) {
    let spoken = spoken(text);
    let mut vocabulary: BTreeSet<String> = BTreeSet::new();
    let mut found = Found::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut lines = 0_u32;
    let mut lines_with = [0_u32; MAX_WORDS];
    for path in files_below(root.path()) {
        if until <= Instant::now() || patience.is_over() || MAX_CANDIDATES <= candidates.len() {
            found.cut = true;
            break;
        }
        if is_of_a_tool(&path) {
            continue;
        }
        // Unreadable or gone since: as if it were not there.
        let Ok(bytes) = root.read(&path, limits.file_bytes) else { continue };
        if looks_binary(&bytes) {
            continue;
        }
        let in_path = mask(&path, &wanted);
        for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            lines += 1;
            let in_line = mask(line, &wanted);
            if vocabulary.len() < MAX_VOCABULARY {
                let similar = words(line).into_iter().map(|it| it.to_lowercase());
                vocabulary
                    .extend(similar.filter(|it| spoken.iter().any(|said| differ_by_one(said, it))));
            }
            if in_line == 0 {
                continue;
            }
            (0..wanted.len()).filter(|it| in_line & (1 << it) != 0).for_each(|it| {
                lines_with[it] += 1;
            });
            let text = line.trim_end().to_owned();
            let found = Match { path: path.clone(), line: index + 1, text };
            candidates.push(Candidate { found, in_line, in_path });
        }
    }
    let is_there = |word: &String| {
        wanted.iter().position(|it| it.text == *word).is_some_and(|at| 0 < lines_with[at])
    };
    let misheard: Vec<(String, String)> = spoken
        .iter()
        .filter(|said| !is_there(said))
        .filter_map(|said| {
            let meant = vocabulary.iter().find(|it| differ_by_one(said, it))?;
            Some((said.clone(), meant.clone()))
        })
        .collect();
    let rarity = |it: usize| (f64::from(lines.max(1)) / f64::from(lines_with[it].max(1))).ln_1p();
    let weight = |mask: u32| -> f64 {
        (0..wanted.len()).filter(|it| mask & (1 << it) != 0).map(rarity).sum()
    };
    // Tests say again what they test, and are rarely what is meant.
    let asks_for_tests = wanted.iter().any(|it| alike(&it.text, "tests"));
    let asks_for_a_number = asks_for_a_number(text);
    let asks_for_parts = part_asked_for(text).is_some();
    let score = |it: &Candidate| {
        let score = weight(it.in_line) + weight(it.in_path & !it.in_line) / 2.0;
        let is_test = it.found.path.contains("test");
        let score = if is_test && !asks_for_tests { score * 0.7 } else { score };
        let score =
            if asks_for_a_number && sets_a_number(&it.found.text) { score * SET } else { score };
        if asks_for_parts && begins_a_type(&it.found.text) { score * 1.6 } else { score }
    };
    let mut scored: Vec<(f64, Match)> =
        candidates.into_iter().map(|it| (score(&it), it.found)).collect();
    // Stable: among equals the order of the files.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.first().map_or(0.0, |it| it.0);
    // What has half of what the best line has is about something else.
    let kept = scored.into_iter().take_while(|it| best / 2.0 < it.0).take(limits.matches);
    found.matches = kept.map(|it| it.1).collect();
    (found, misheard)
}

/// Words that a recogniser may have misheard: long enough that one letter is little.
fn spoken(text: &str) -> Vec<String> {
    let all = words(text).into_iter().map(|it| it.to_lowercase());
    let part = part_asked_for(text);
    all.filter(|it| 4 <= it.chars().count() && !is_small(it) && part.as_ref() != Some(it)).collect()
}

/// By one letter, which is not the first.
fn differ_by_one(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    if short.is_empty() || short[0] != long[0] || 1 < long.len() - short.len() || a == b {
        return false;
    }
    let common = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let rest = if short.len() == long.len() { common + 1 } else { common };
    short[rest.min(short.len())..] == long[common + 1..]
}

/// What a package manager writes for itself: it has every word, and answers nothing.
fn is_of_a_tool(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".lock") || ["package-lock.json", "pnpm-lock.yaml", "go.sum"].contains(&name)
}

/// Which of these texts are about what was said: those with most of its words, best first. Words
/// count the more the fewer texts have them; a text that has half of what the best one has is
/// about something else.
pub fn about(texts: &[String], said: &str) -> Vec<usize> {
    let wanted = wanted(said);
    let masks: Vec<u32> = texts.iter().map(|it| mask(it, &wanted)).collect();
    let has = |it: usize| masks.iter().filter(|mask| **mask & (1 << it) != 0).count();
    let rarity = |it: usize| (texts.len() as f64 / has(it).max(1) as f64).ln_1p();
    let weight = |mask: u32| -> f64 {
        (0..wanted.len()).filter(|it| mask & (1 << it) != 0).map(rarity).sum()
    };
    let mut scored: Vec<(f64, usize)> =
        masks.iter().enumerate().map(|(at, mask)| (weight(*mask), at)).collect();
    scored.retain(|it| 0.0 < it.0);
    // Stable: among equals the order of the texts.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.first().map_or(0.0, |it| it.0);
    scored.into_iter().take_while(|it| best / 2.0 < it.0).map(|it| it.1).collect()
}

/// "How many", "how long", "what is the limit", "lower it to twenty": what is meant is where a number
/// is set, and not where it is talked about.
fn asks_for_a_number(text: &str) -> bool {
    const MEASURES: [&str; 12] = [
        "big", "far", "fast", "high", "large", "late", "long", "many", "much", "often", "old",
        "wide",
    ];
    const NUMBERS: [&str; 8] =
        ["limit", "maximum", "minimum", "number", "percent", "port", "rate", "timeout"];
    let words: Vec<String> = words(text).iter().map(|it| it.to_lowercase()).collect();
    let measures = words.windows(2).any(|it| it[0] == "how" && MEASURES.contains(&it[1].as_str()));
    measures || words.iter().any(|it| NUMBERS.contains(&it.as_str()) || is_number(it))
}

/// As it is said or written, but "one", which is said of anything.
fn is_number(word: &str) -> bool {
    const SPOKEN: [&str; 29] = [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "sixty",
        "seventy",
        "eighty",
        "ninety",
        "hundred",
        "thousand",
        "million",
    ];
    SPOKEN.contains(&word) || word.chars().all(|it| it.is_ascii_digit())
}

/// The word for what something consists of, where that is asked for: the fields of a reading are where
/// a reading is defined, and not where fields are talked about.
fn part_asked_for(text: &str) -> Option<String> {
    const PARTS: [&str; 14] = [
        "attribute",
        "attributes",
        "column",
        "columns",
        "field",
        "fields",
        "member",
        "members",
        "method",
        "methods",
        "properties",
        "property",
        "variant",
        "variants",
    ];
    const OF: [&str; 5] = ["do", "does", "has", "have", "of"];
    let words: Vec<String> = words(text).iter().map(|it| it.to_lowercase()).collect();
    let asked = words
        .windows(2)
        .find(|it| PARTS.contains(&it[0].as_str()) && OF.contains(&it[1].as_str()))?;
    Some(asked[0].clone())
}

fn begins_a_type(line: &str) -> bool {
    const KEYWORDS: [&str; 7] = ["class", "enum", "interface", "record", "struct", "trait", "type"];
    const BEFORE: [&str; 12] = [
        "abstract", "crate", "data", "default", "export", "final", "in", "private", "pub",
        "public", "static", "super",
    ];
    let mut words = line.split(|it: char| !it.is_alphanumeric());
    words.find(|it| !BEFORE.contains(it) && !it.is_empty()).is_some_and(|it| KEYWORDS.contains(&it))
}

/// `MAX_LOANS = 7`, `"port": 8080`.
fn sets_a_number(line: &str) -> bool {
    let Some((_, value)) = line.split_once(['=', ':']) else { return false };
    value.contains(|it: char| it.is_ascii_digit())
}

struct Candidate {
    found: Match,
    in_line: u32,
    in_path: u32,
}

fn is_small(word: &str) -> bool {
    SMALL_WORDS.contains(&format!(" {word} ")) || is_verb(word)
}

/// What requests are made of, and what functions are called.
fn is_verb(word: &str) -> bool {
    const VERBS: [&str; 19] = [
        "call", "called", "calls", "done", "find", "get", "gets", "give", "given", "go", "goes",
        "happen", "happens", "let", "say", "says", "show", "tell", "use",
    ];
    VERBS.contains(&word)
}

fn names(word: &str) -> bool {
    ["class", "command", "function", "method", "variable"].contains(&word)
}

/// What is looked for.
#[derive(Debug, Clone)]
struct Word {
    text: String,
    /// Of several that were said: found only as it is, or it would be every one of them again.
    is_made: bool,
}

impl Word {
    fn said(text: String) -> Self {
        Self { text, is_made: false }
    }

    fn is(&self, word: &str) -> bool {
        if self.is_made { self.text == word } else { alike(&self.text, word) }
    }
}

/// The words that say something; neighbours as one word ("time out" is `timeout`); and the
/// initials of three or four that stand together ("value added tax" is `VAT`).
fn wanted(text: &str) -> Vec<Word> {
    let all: Vec<String> = words(text).iter().map(|it| it.to_lowercase()).collect();
    let part = part_asked_for(text);
    let says_something = |it: &String| !is_small(it) && part.as_ref() != Some(it);
    // "The find function": what stands beside such a word is its name.
    let beside = |at: usize| at.checked_sub(1).into_iter().chain([at + 1]);
    let is_name = |at: usize| beside(at).any(|it| all.get(it).is_some_and(|it| names(it)));
    let single = all
        .iter()
        .enumerate()
        .filter(|(at, it)| says_something(it) || is_verb(it) && is_name(*at))
        .map(|it| it.1.clone());
    let joined = all.windows(2).map(|pair| pair.concat());
    let meant =
        MEANT.iter().filter(|it| it.said.iter().any(|said| all.contains(&said.to_string())));
    let meant: Vec<String> = meant.flat_map(|it| it.written).map(|it| it.to_string()).collect();
    let initials = (3..=4).flat_map(|size| {
        all.windows(size)
            .filter(|it| it.iter().all(says_something))
            .map(|it| it.iter().filter_map(|word| word.chars().next()).collect())
    });
    let mut wanted: Vec<Word> = Vec::new();
    let said = single.chain(meant).map(Word::said);
    let made = joined.chain(initials).map(|text| Word { text, is_made: true });
    for word in said.chain(made) {
        if wanted.len() < MAX_WORDS && wanted.iter().all(|it| it.text != word.text) {
            wanted.push(word);
        }
    }
    wanted
}

fn mask(text: &str, wanted: &[Word]) -> u32 {
    let has = words(text);
    (0..wanted.len())
        .filter(|it| has.iter().any(|word| wanted[*it].is(&word.to_lowercase())))
        .fold(0, |mask, it| mask | 1 << it)
}

/// The same word, or one with another ending: "retry" and "retries", but not "commit" and
/// "comment".
fn alike(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let shorter = a.chars().count().min(b.chars().count());
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    4 <= common && shorter <= common + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Vec<String> {
        super::wanted(text).into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn endings_do_not_matter_and_other_words_do() {
        for (a, b) in [("retry", "retries"), ("delay", "delays"), ("work", "worker"), ("a", "a")] {
            assert!(alike(a, b), "{a} {b}");
        }
        for (a, b) in [("commit", "comment"), ("test", "text"), ("add", "addition"), ("a", "b")] {
            assert!(!alike(a, b), "{a} {b}");
        }
    }

    #[test]
    fn texts_are_about_what_most_of_their_words_say() {
        let texts = [
            "Read the settings src/settings.rs",
            "Warn when waves are high src/alarm.rs src/main.rs",
            "Ring the alarm twice src/alarm.rs",
            "Name the file",
        ];
        let texts = texts.map(str::to_owned);
        assert_eq!(about(&texts, "who added the alarm"), [1, 2]);
        assert_eq!(about(&texts, "when was the alarm made to ring twice"), [2]);
        assert_eq!(about(&texts, "who is Bob"), [0; 0]);
        assert_eq!(about(&[], "the alarm"), [0; 0]);
    }

    #[test]
    fn bounds_are_found_by_how_they_are_asked_for() {
        let wanted = wanted("how long may a line be");
        assert!(wanted.contains(&"max".to_owned()), "{wanted:?}");
        assert!(!super::tests::wanted("which line").contains(&"max".to_owned()));
    }

    #[test]
    fn misheard_words_differ_by_a_letter() {
        for (a, b) in
            [("gall", "gale"), ("gall", "galls"), ("shelf", "shelfs"), ("parse", "parser")]
        {
            assert!(differ_by_one(a, b) && differ_by_one(b, a), "{a} {b}");
        }
        for (a, b) in
            [("gall", "gall"), ("gall", "ball"), ("gall", "golf"), ("gall", "gallop"), ("", "a")]
        {
            assert!(!differ_by_one(a, b), "{a} {b}");
        }
        assert_eq!(spoken("Raise the gall limit to 40"), ["raise", "gall", "limit"]);
    }

    #[test]
    fn numbers_are_asked_for_in_many_ways() {
        for text in ["How many loans may one have?", "what is the tax rate", "how long do we wait"]
        {
            assert!(asks_for_a_number(text), "{text}");
        }
        assert!(asks_for_a_number("lower the fee to twenty cents"));
        assert!(asks_for_a_number("set it to 20"));
        assert!(!asks_for_a_number("how are loans counted"));
        for line in ["MAX_LOANS = 7", "const A: u32 = 0x60;", r#"  "port": 8080,"#] {
            assert!(sets_a_number(line), "{line}");
        }
        for line in ["at most 7 loans", "let a = b;", ""] {
            assert!(!sets_a_number(line), "{line}");
        }
    }

    #[test]
    fn what_something_consists_of_is_in_its_definition() {
        assert_eq!(part_asked_for("which fields does a row have").as_deref(), Some("fields"));
        assert_eq!(part_asked_for("where is the method checked"), None);
        assert_eq!(spoken("the members of a club"), ["club"]);
        for line in ["pub(crate) struct Row {", "  export default class Row {", "type Row = u8;"] {
            assert!(begins_a_type(line), "{line}");
        }
        for line in ["fn row() {", "// of a struct", ""] {
            assert!(!begins_a_type(line), "{line}");
        }
    }

    #[test]
    fn small_words_are_left_out_and_spellings_are_added() {
        assert_eq!(
            wanted("the value added tax"),
            ["value", "added", "tax", "thevalue", "valueadded", "addedtax", "vat"]
        );
        assert_eq!(wanted("what does the find function do")[..2], ["find", "function"]);
        assert_eq!(wanted("find the parser"), ["parser", "findthe", "theparser"]);
        assert_eq!(wanted("maxRetries"), ["max", "retries", "maxretries"]);
        assert_eq!(wanted("?"), [""; 0]);
    }
}
