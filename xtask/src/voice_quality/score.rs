//! How many words were misheard.
//!
//! What is written differently and said alike is the same: case, punctuation, `_` and camel case,
//! numbers in digits or in words, `.rs` and "dot r s". What is *said* differently is an error.

use std::fmt;
use std::ops::AddAssign;

/// The words of `text` as they are said.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for chunk in text.split_whitespace() {
        split(chunk, &mut words);
    }
    joined(&words)
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

/// Without what is spelled in two ways and said in one: "to-do" and "to do", "readme" and "read
/// me", "r s" and "rs", "OK" and "okay".
fn joined(words: &[String]) -> Vec<String> {
    let mut text = format!(" {} ", words.join(" "));
    // "a hundred and one" is "a hundred one".
    for (long, short) in ALIKE {
        text = text.replace(&format!(" {long} "), &format!(" {short} "));
    }
    text.split_whitespace().map(str::to_owned).collect()
}

/// Said alike.
const ALIKE: &[(&str, &str)] = &[
    ("hundred and", "hundred"),
    ("thousand and", "thousand"),
    ("a hundred", "one hundred"),
    ("a thousand", "one thousand"),
    ("okay", "ok"),
    ("read me", "readme"),
    ("to do", "todo"),
    ("to dos", "todos"),
    ("fix me", "fixme"),
    ("r s", "rs"),
    ("p y", "py"),
    ("j s", "js"),
    ("mister", "mr"),
    ("missus", "mrs"),
    ("doctor", "dr"),
    ("all right", "alright"),
    ("colour", "color"),
    ("catalogue", "catalog"),
    ("metre", "meter"),
    ("metres", "meters"),
    ("litre", "liter"),
    ("litres", "liters"),
    ("millilitre", "milliliter"),
    ("millilitres", "milliliters"),
    ("anymore", "any more"),
    ("utf", "u t f"),
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
        // A row of the table of the least changes, and how they are made up.
        let step = |from: Self, substituted, deleted, inserted| Self {
            substituted: from.substituted + substituted,
            deleted: from.deleted + deleted,
            inserted: from.inserted + inserted,
            said: from.said,
        };
        let mut row = vec![Self { said: said.len(), ..Self::default() }];
        for _ in heard {
            let last = *row.last().unwrap_or(&Self::default());
            row.push(step(last, 0, 0, 1));
        }
        for word in said {
            let mut next = vec![step(row[0], 0, 1, 0)];
            for (at, other) in heard.iter().enumerate() {
                let choices = [
                    step(row[at], usize::from(word != other), 0, 0),
                    step(row[at + 1], 0, 1, 0),
                    step(next[at], 0, 0, 1),
                ];
                let least = choices.into_iter().min_by_key(Self::wrong);
                next.extend(least);
            }
            row = next;
        }
        row.last().copied().unwrap_or_default()
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
        check("open alarm.r s", "open alarm dot rs");
        check("Rename `wave_metres` to waveMetres!", "rename wave meters to wave metres");
        check("port 8080", "port eight thousand and eighty");
        check("port 8,080", "port eight thousand eighty");
        check("version 0.5.0", "version zero point five point zero");
        check("line 142", "line one hundred and forty two");
        check("the to-do list", "the to do list");
        check("feature/search", "feature slash search");
        check("don't", "dont");
        check("wait... what?", "wait what");
        check("What's in README?", "whats in read me");
        check("UTF-8", "utf eight");
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
        assert_eq!(errors("run the tests", ""), [0, 3, 0, 3]);
        assert_eq!(errors("", "you"), [0, 0, 1, 0]);
        let mut sum = Errors::between(&words("a b c d"), &words("a b c x"));
        sum += Errors::between(&words("e f g h"), &words("e f g h"));
        assert_eq!(sum.to_string(), "12.5 % (1 of 8 words: 1 other, 0 missed, 0 added)");
    }
}
