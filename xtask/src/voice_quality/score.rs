//! How many words were misheard.
//!
//! What is written differently and said alike is the same: case, punctuation, `_` and camel case,
//! numbers in digits or in words, `.rs` and "dot r s", one word or two ("localhost"), "I'm" and "I
//! am". Hesitations do not count. What is *said* differently is an error.

use std::fmt;
use std::ops::AddAssign;

/// The words of `text` as they are said.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for chunk in text.split_whitespace() {
        let chunk = chunk.replace(['’', '‘'], "'");
        let (chunk, is) = contraction(&chunk);
        split(chunk, &mut words);
        words.extend(is.map(str::to_owned));
    }
    joined(&words)
}

/// The word before the apostrophe, and the one that stands for what comes after it.
fn contraction(chunk: &str) -> (&str, Option<&'static str>) {
    const SHORT: &[(&str, &str)] =
        &[("'m", "am"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("n't", "not")];
    // Of others it may be whose they are.
    const IS: &[&str] =
        &["it", "that", "there", "here", "what", "who", "where", "how", "he", "she", "everything"];
    let bare = chunk.trim_end_matches(|it: char| !it.is_alphanumeric());
    let lower = bare.to_lowercase();
    if let Some(stem) = lower.strip_suffix("'s").filter(|it| IS.contains(it)) {
        return (&bare[..stem.len()], Some("is"));
    }
    let short = SHORT.iter().find(|(short, _)| lower.ends_with(short));
    match short {
        Some((short, long)) => (&bare[..bare.len() - short.len()], Some(long)),
        None => (chunk, None),
    }
}

/// The pieces of what stands between two spaces.
fn split(chunk: &str, words: &mut Vec<String>) {
    let chars: Vec<char> = chunk.chars().filter(|it| !matches!(it, '\'' | '’' | '‘')).collect();
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            said(&std::mem::take(word), words);
        }
    };
    for (at, &here) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let inside =
            before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        match here {
            _ if here.is_alphanumeric() => {
                let camel = here.is_uppercase() && before.is_some_and(char::is_lowercase);
                let kind = before
                    .filter(|it| it.is_alphanumeric())
                    .is_some_and(|it| it.is_ascii_digit() != here.is_ascii_digit());
                if camel || kind {
                    end(&mut word);
                }
                word.extend(here.to_lowercase());
            }
            // "5,000" is one number; "a, b" are two words.
            ',' if inside && word.chars().all(|it| it.is_ascii_digit()) => (),
            '.' if inside || (before.is_none() && after.is_some_and(char::is_alphanumeric)) => {
                end(&mut word);
                word.push_str(if before.is_some_and(|it| it.is_ascii_digit()) {
                    "point"
                } else {
                    "dot"
                });
                end(&mut word);
            }
            '%' => {
                end(&mut word);
                word.push_str("percent");
                end(&mut word);
            }
            '/' if inside || after.is_some_and(char::is_alphanumeric) => {
                end(&mut word);
                word.push_str("slash");
                end(&mut word);
            }
            _ => end(&mut word),
        }
    }
    end(&mut word);
}

/// One word or number, as it is said.
fn said(word: &str, words: &mut Vec<String>) {
    match word.parse::<u64>() {
        Ok(number) if word.len() <= 9 => number_words(number, words),
        Ok(_) => word.chars().for_each(|digit| said(&digit.to_string(), words)),
        Err(_) => words.push(word.to_owned()),
    }
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
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
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn number_words(number: u64, words: &mut Vec<String>) {
    let mut one = |word: &str| words.push(word.to_owned());
    match number {
        0..20 => one(SMALL[number as usize]),
        20..100 => {
            one(TENS[(number / 10) as usize]);
            if !number.is_multiple_of(10) {
                one(SMALL[(number % 10) as usize]);
            }
        }
        _ => {
            let (unit, name) = match number {
                100..1_000 => (100, "hundred"),
                1_000..1_000_000 => (1_000, "thousand"),
                _ => (1_000_000, "million"),
            };
            number_words(number / unit, words);
            words.push(name.to_owned());
            if !number.is_multiple_of(unit) {
                number_words(number % unit, words);
            }
        }
    }
}

/// Without hesitations, and one way of several that are said alike.
fn joined(words: &[String]) -> Vec<String> {
    let words: Vec<String> = digits(words);
    let text = words.join(" ");
    let mut text = format!(" {} ", text.replace(' ', "  "));
    for (long, short) in ALIKE {
        let long = format!(" {} ", long.replace(' ', "  "));
        text = text.replace(&long, &format!(" {} ", short.replace(' ', "  ")));
    }
    text.split_whitespace().filter(|it| !HESITATIONS.contains(it)).map(str::to_owned).collect()
}

/// Three digits or more that are said one by one are the number that they are.
fn digits(words: &[String]) -> Vec<String> {
    let digit = |word: &String| SMALL[..10].iter().position(|it| it == word);
    let mut joined = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let run: Vec<usize> = words[at..].iter().map_while(digit).collect();
        if (3..=9).contains(&run.len()) && run[0] != 0 {
            number_words(run.iter().fold(0, |number, &it| 10 * number + it as u64), &mut joined);
            at += run.len();
        } else {
            joined.push(words[at].clone());
            at += 1;
        }
    }
    joined
}

const HESITATIONS: &[&str] = &["uh", "um", "uhm", "hmm", "mm"];

/// Said alike.
const ALIKE: &[(&str, &str)] = &[
    ("hundred and", "hundred"),
    ("thousand and", "thousand"),
    ("a hundred", "one hundred"),
    ("a thousand", "one thousand"),
    ("okay", "ok"),
    ("yknow", "you know"),
    ("mister", "mr"),
    ("alright", "all right"),
    ("colour", "color"),
    ("catalogue", "catalog"),
    ("metre", "meter"),
    ("metres", "meters"),
    ("litre", "liter"),
    ("litres", "liters"),
    ("millilitre", "milliliter"),
    ("millilitres", "milliliters"),
];

/// The least that must be changed in what was said to get what was heard.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errors {
    pub(super) substituted: usize,
    pub(super) deleted: usize,
    pub(super) inserted: usize,
    /// Words that were said.
    pub(super) said: usize,
}

impl Errors {
    pub(super) fn between(said: &[String], heard: &[String]) -> Self {
        let step = |from: Self, substituted, deleted, inserted| Self {
            substituted: from.substituted + substituted,
            deleted: from.deleted + deleted,
            inserted: from.inserted + inserted,
            said: from.said,
        };
        // The table of the least changes, and how they are made up: rows are what was said.
        let mut rows: Vec<Vec<Self>> = Vec::with_capacity(said.len() + 1);
        for i in 0..=said.len() {
            let mut row: Vec<Self> = Vec::with_capacity(heard.len() + 1);
            for j in 0..=heard.len() {
                let before = |of: usize, other: usize| {
                    let (i, j) = (i.checked_sub(of)?, j.checked_sub(other)?);
                    if of == 0 { row.get(j).copied() } else { rows.get(i)?.get(j).copied() }
                };
                let alike = |of: usize, other: usize| {
                    let (from, to) = (i.checked_sub(of)?, j.checked_sub(other)?);
                    let same = said[from..i].concat() == heard[to..j].concat();
                    if same { before(of, other) } else { None }
                };
                let choices = [
                    alike(1, 1),
                    // Written as one word or as two.
                    alike(1, 2),
                    alike(2, 1),
                    before(1, 1).map(|it| step(it, 1, 0, 0)),
                    before(1, 0).map(|it| step(it, 0, 1, 0)),
                    before(0, 1).map(|it| step(it, 0, 0, 1)),
                ];
                let least = choices.into_iter().flatten().min_by_key(Self::wrong);
                row.push(least.unwrap_or(Self { said: said.len(), ..Self::default() }));
            }
            rows.push(row);
        }
        rows.last().and_then(|row| row.last()).copied().unwrap_or_default()
    }

    pub(super) fn wrong(&self) -> usize {
        self.substituted + self.deleted + self.inserted
    }

    /// Per cent of the words that were said.
    pub(super) fn rate(&self) -> f64 {
        100.0 * self.wrong() as f64 / self.said.max(1) as f64
    }
}

impl AddAssign for Errors {
    fn add_assign(&mut self, other: Self) {
        self.substituted += other.substituted;
        self.deleted += other.deleted;
        self.inserted += other.inserted;
        self.said += other.said;
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} % ({} of {} words: {} other, {} missed, {} added)",
            self.rate(),
            self.wrong(),
            self.said,
            self.substituted,
            self.deleted,
            self.inserted
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str) {
        assert_eq!(words(one), words(other));
    }

    #[test]
    fn what_is_said_alike_is_the_same() {
        check("Open alarm.rs.", "open alarm dot rs");
        check("Rename `wave_metres` to waveMetres!", "rename wave meters to wave metres");
        check("port 8080", "port eight thousand and eighty");
        check("port 8,080", "port eight thousand eighty");
        check("version 0.5.0", "version zero point five point zero");
        check("line 142", "line one hundred and forty two");
        check("the to-do list", "the to do list");
        check("feature/search", "feature slash search");
        check("wait... what?", "wait what");
        check("What's in README?", "what is in readme");
        check("UTF-8", "utf eight");
        check("port 5432", "port five four three two");
        check("I'm sorry, that's Bob's.", "i am sorry that is bobs");
        check("Um, we don't.", "we do not");
        check("in .gitignore", "in dot gitignore");
    }

    #[test]
    fn what_is_said_otherwise_is_not() {
        for (one, other) in
            [("git diff", "get deaf"), ("async", "a sink"), ("8", "18"), ("py", "pie")]
        {
            assert_ne!(words(one), words(other));
        }
    }

    #[test]
    fn errors_are_the_least_changes() {
        let errors = |said: &str, heard: &str| {
            let Errors { substituted, deleted, inserted, said } =
                Errors::between(&words(said), &words(heard));
            [substituted, deleted, inserted, said]
        };
        assert_eq!(errors("run the tests", "run the tests"), [0, 0, 0, 3]);
        assert_eq!(errors("run the tests", "run a test"), [2, 0, 0, 3]);
        assert_eq!(errors("run the tests", "run tests"), [0, 1, 0, 3]);
        assert_eq!(errors("run the tests", "please run the tests"), [0, 0, 1, 3]);
        assert_eq!(errors("a docstring on localhost", "a doc string on local host"), [0, 0, 0, 4]);
        assert_eq!(errors("open the read me", "open the readme"), [0, 0, 0, 4]);
        assert_eq!(errors("open the read me", "open a readme"), [1, 0, 0, 4]);
        assert_eq!(errors("run the tests", ""), [0, 3, 0, 3]);
        assert_eq!(errors("", "you"), [0, 0, 1, 0]);
        let mut sum = Errors::between(&words("a b c d"), &words("a b c x"));
        sum += Errors::between(&words("e f g h"), &words("e f g h"));
        assert_eq!(sum.to_string(), "12.5 % (1 of 8 words: 1 other, 0 missed, 0 added)");
    }
}
