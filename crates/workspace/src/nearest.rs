//! Finds the lines that have most of a request's words, where no line has the text itself.
//!
//! A person who speaks does not know how the code spells a thing: "how often does the worker
//! retry" is `MAX_RETRIES` in `worker.js`. Words count the more the rarer they are; a word of
//! the file's path counts a little for each of its lines.

use std::time::Instant;

use crate::beneath::Root;
use crate::patience::Patience;
use crate::search::{Found, Match, SearchLimits, files_below, looks_binary, words};

/// One bit each.
const MAX_WORDS: usize = 32;

/// Lines that are weighed; a repository with more of them has asked for a common word.
const MAX_CANDIDATES: usize = 20_000;

/// What every sentence has and no line is about.
const SMALL_WORDS: &str = " a about all an and any are as at be between by can do does for from get has have how i \
                           if in is it its many me much my not of often on or our out that the their there this \
                           to used was we what when where which who why will with you ";

/// The best lines of the files that git would not ignore, best first.
///
/// Ends early, [`Found::cut`], with its own limits or with the patience of who asked.
pub fn nearest(root: &Root, text: &str, limits: SearchLimits, patience: &Patience) -> Found {
    let wanted = wanted(text);
    let until = Instant::now() + limits.time;
    let mut found = Found::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut lines = 0_u32;
    let mut lines_with = [0_u32; MAX_WORDS];
    for path in files_below(root.path()) {
        if until <= Instant::now() || patience.is_over() || MAX_CANDIDATES <= candidates.len() {
            found.cut = true;
            break;
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
    let rarity = |it: usize| (f64::from(lines.max(1)) / f64::from(lines_with[it].max(1))).ln_1p();
    let weight = |mask: u32| -> f64 {
        (0..wanted.len()).filter(|it| mask & (1 << it) != 0).map(rarity).sum()
    };
    // Tests say again what they test, and are rarely what is meant.
    let asks_for_tests = wanted.iter().any(|it| alike(it, "tests"));
    let score = |it: &Candidate| {
        let score = weight(it.in_line) + weight(it.in_path & !it.in_line) / 2.0;
        let is_test = it.found.path.contains("test");
        if is_test && !asks_for_tests { score * 0.7 } else { score }
    };
    let mut scored: Vec<(f64, Match)> =
        candidates.into_iter().map(|it| (score(&it), it.found)).collect();
    // Stable: among equals the order of the files.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.first().map_or(0.0, |it| it.0);
    // What has half of what the best line has is about something else.
    let kept = scored.into_iter().take_while(|it| best / 2.0 < it.0).take(limits.matches);
    found.matches = kept.map(|it| it.1).collect();
    found
}

struct Candidate {
    found: Match,
    in_line: u32,
    in_path: u32,
}

/// The words that say something; neighbours as one word ("time out" is `timeout`); and the
/// initials of three or four that stand together ("value added tax" is `VAT`).
fn wanted(text: &str) -> Vec<String> {
    let all: Vec<String> = words(text).iter().map(|it| it.to_lowercase()).collect();
    let says_something = |it: &String| !SMALL_WORDS.contains(&format!(" {it} "));
    let single = all.iter().filter(|it| says_something(it)).cloned();
    let joined = all.windows(2).map(|pair| pair.concat());
    let initials = (3..=4).flat_map(|size| {
        all.windows(size)
            .filter(|it| it.iter().all(says_something))
            .map(|it| it.iter().filter_map(|word| word.chars().next()).collect())
    });
    let mut wanted: Vec<String> = Vec::new();
    for word in single.chain(joined).chain(initials) {
        if wanted.len() < MAX_WORDS && !wanted.contains(&word) {
            wanted.push(word);
        }
    }
    wanted
}

fn mask(text: &str, wanted: &[String]) -> u32 {
    let has = words(text);
    (0..wanted.len())
        .filter(|it| has.iter().any(|word| alike(&word.to_lowercase(), &wanted[*it])))
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
    fn small_words_are_left_out_and_spellings_are_added() {
        assert_eq!(
            wanted("the value added tax"),
            ["value", "added", "tax", "thevalue", "valueadded", "addedtax", "vat"]
        );
        assert_eq!(wanted("maxRetries"), ["max", "retries", "maxretries"]);
        assert_eq!(wanted("?"), [""; 0]);
    }
}
