//! Where in a file a hunk belongs.

use crate::text::FileLine;

/// How exactly lines must agree, strictest first: a whole hunk is tried with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exactness {
    Exact,
    /// But for spaces at the end.
    TrimEnd,
    /// But for spaces anywhere, and for typographic variants of quotes, dashes and spaces.
    Loose,
}

/// Lines that are compared for the sake of a hint: a file of twenty thousand with a long hunk.
const MOST_COMPARED: usize = 2_000_000;

const EXACTNESSES: [Exactness; 3] = [Exactness::Exact, Exactness::TrimEnd, Exactness::Loose];

/// The first index at or after `from` at which `wanted` stands. With `at_end` only the end counts.
pub(crate) fn find(
    lines: &[FileLine],
    wanted: &[&str],
    from: usize,
    at_end: bool,
) -> Option<usize> {
    let last = lines.len().checked_sub(wanted.len())?;
    let first = if at_end { from.max(last) } else { from };
    EXACTNESSES.into_iter().find_map(|exactness| {
        (first..=last).find(|start| {
            let there = &lines[*start..start + wanted.len()];
            there.iter().zip(wanted).all(|(line, wanted)| exactness.agree(&line.text, wanted))
        })
    })
}

/// The line that a context names: as a whole line, else as a part of one.
pub(crate) fn find_context(lines: &[FileLine], context: &str, from: usize) -> Option<usize> {
    find(lines, &[context], from, /*at_end*/ false).or_else(|| {
        let context = squeezed(context);
        let holds = |index: &usize| squeezed(&lines[*index].text).contains(&context);
        (from..lines.len()).find(holds).filter(|_| !context.is_empty())
    })
}

/// Where `wanted` almost stands: the place with most lines in agreement, and the first line there
/// that is different.
pub(crate) fn nearest(lines: &[FileLine], wanted: &[&str]) -> Option<Nearest> {
    let agree = |start: usize| {
        let there = lines[start..].iter().zip(wanted);
        there
            .filter(|(line, wanted)| {
                !wanted.trim().is_empty() && Exactness::Loose.agree(&line.text, wanted)
            })
            .count()
    };
    if MOST_COMPARED < lines.len().saturating_mul(wanted.len()) {
        return None;
    }
    let best = (0..lines.len()).max_by_key(|start| (agree(*start), usize::MAX - start))?;
    if agree(best) == 0 {
        return most_alike(lines, wanted);
    }
    let differs = wanted.iter().enumerate().find(|(offset, wanted)| {
        let there = lines.get(best + offset);
        !there.is_some_and(|line| Exactness::Loose.agree(&line.text, wanted))
    });
    let (offset, wanted) = differs?;
    let there = lines.get(best + offset).map(|line| line.text.clone());
    Some(Nearest { line: best + offset + 1, there, wanted: wanted.to_string() })
}

/// A line that was expected and what is there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nearest {
    /// From 1.
    pub(crate) line: usize,
    /// `None` past the end.
    pub(crate) there: Option<String>,
    pub(crate) wanted: String,
}

/// No line agrees: the one that shares most words with the first that means something.
fn most_alike(lines: &[FileLine], wanted: &[&str]) -> Option<Nearest> {
    let wanted = wanted.iter().find(|line| line.chars().any(char::is_alphanumeric))?;
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| 1 < word.len()).map(str::to_lowercase).collect()
    };
    let sought = words(wanted);
    let shared =
        |line: &FileLine| words(&line.text).iter().filter(|it| sought.contains(it)).count();
    let (index, line) =
        lines.iter().enumerate().max_by_key(|(index, line)| (shared(line), usize::MAX - index))?;
    (0 < shared(line)).then(|| Nearest {
        line: index + 1,
        there: Some(line.text.clone()),
        wanted: wanted.to_string(),
    })
}

impl Exactness {
    fn agree(self, there: &str, wanted: &str) -> bool {
        match self {
            Self::Exact => there == wanted,
            Self::TrimEnd => there.trim_end() == wanted.trim_end(),
            Self::Loose => squeezed(there) == squeezed(wanted),
        }
    }
}

/// Without spaces, and with one kind of quote and dash.
fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}'))
        .map(|c| match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{2018}'..='\u{201b}' => '\'',
            '\u{201c}'..='\u{201f}' => '"',
            c => c,
        })
        .collect()
}
