//! What a written answer becomes when it is spoken.
//!
//! The eye skims, the ear cannot: a spoken answer is short, has no code and no markup, says
//! file names instead of paths and words instead of identifiers. The whole text is on the
//! screen, and what was left out is said to be there. Numbers that matter stay numbers.

use protocol::labels;

use crate::sentences::sentences;

/// What may be said at most: about twenty seconds.
const MOST_SENTENCES: usize = 3;
const MOST_WORDS: usize = 60;

/// The reference's older label of the agent's messages.
const OLD_LABEL: &str = "[BACKEND]";

/// What clients put in front of the agent's messages: our own, and the older one.
const LABELS: [&str; 3] = [labels::ANSWER, labels::PROGRESS, OLD_LABEL];

/// What ends a sentence, or makes the voice pause in one.
const MARKS: [char; 11] = ['.', ',', ':', ';', '!', '?', '。', '！', '？', '、', '，'];

const REST_ON_SCREEN: &str = "The rest is on the screen.";
const CODE_ON_SCREEN: &str = "There is code on the screen.";

/// Shapes an agent's message for speech. Empty when nothing in it can be said.
pub fn for_the_ear(written: &str) -> String {
    let page = Page::read(without_label(written));
    let text = page.blocks.iter().map(|it| say(it)).filter(|it| !it.is_empty());
    let text = text.collect::<Vec<_>>().join(" ");
    let all = sentences(&text);
    let (mut said, mut words) = (Vec::new(), 0);
    for sentence in &all {
        let len = sentence.split_whitespace().count();
        if said.len() == MOST_SENTENCES || MOST_WORDS < words + len {
            break;
        }
        words += len;
        said.push((*sentence).to_owned());
    }
    let mut complete = said.len() == all.len();
    if let (true, Some(first)) = (said.is_empty(), all.first()) {
        said.push(cut(first));
        complete = false;
    }
    if !complete || (page.saw_table && !said.is_empty()) {
        said.push(REST_ON_SCREEN.to_owned());
    } else if page.saw_code {
        said.push(CODE_ON_SCREEN.to_owned());
    } else if page.saw_table {
        said.push("The answer is on the screen.".to_owned());
    }
    said.join(" ")
}

/// The message without what a client wraps around it for the realtime model.
pub(crate) fn without_label(text: &str) -> &str {
    let text = text.trim();
    let stripped = LABELS.iter().find_map(|label| text.strip_prefix(label.trim_end()));
    stripped.unwrap_or(text).trim()
}

/// Whether it only says what we said when we passed the request on.
pub(crate) fn is_acknowledgement(output: &str) -> bool {
    [labels::STEERED, labels::STOPPING].contains(&output)
}

/// Whether a client's text tells of work that the agent knows of, rather than the user saying
/// something: such a text must never be handed back to the agent as a request.
pub(crate) fn is_news(text: &str) -> bool {
    let text = text.trim();
    LABELS.iter().chain([&labels::MIRRORED]).any(|label| text.starts_with(label.trim_end()))
        // Other clients of the reference's protocol put it behind.
        || text.ends_with(labels::PROGRESS.trim_end())
}

/// What such a text says of work that is going on; `None` for other texts.
pub(crate) fn progress(text: &str) -> Option<&str> {
    let (text, label) = (text.trim(), labels::PROGRESS.trim_end());
    let stripped = text.strip_prefix(label).or_else(|| text.strip_prefix(OLD_LABEL));
    stripped.or_else(|| text.strip_suffix(label)).map(str::trim)
}

/// Words for one written passage without block markup, ending like a sentence.
pub(crate) fn say(passage: &str) -> String {
    let plain = without_inline_markup(passage);
    let words: Vec<String> =
        plain.split_whitespace().map(spoken).filter(|it| !it.is_empty()).collect();
    let mut text = words.join(" ");
    for (wrong, right) in
        [(" ,", ","), (" .", "."), (" ;", ";"), (" :", ":"), (",,", ","), (",.", ".")]
    {
        while text.contains(wrong) {
            text = text.replace(wrong, right);
        }
    }
    let text = text.trim_matches(|it: char| it.is_whitespace() || matches!(it, ',' | ';' | '-'));
    match text.chars().last() {
        None => String::new(),
        Some(_) if !text.chars().any(char::is_alphanumeric) => String::new(),
        Some('.' | '!' | '?' | ':' | '。' | '！' | '？') => text.to_owned(),
        Some(_) => format!("{text}."),
    }
}

/// The first words of a sentence that is too long, up to a comma if one is near.
fn cut(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split_whitespace().take(MOST_WORDS).collect();
    let comma = words.iter().rposition(|it| it.ends_with([',', ';', ':']));
    let keep = comma.filter(|at| MOST_WORDS / 2 < *at).map_or(words.len(), |at| at + 1);
    let text = words[..keep].join(" ");
    format!("{}.", text.trim_end_matches([',', ';', ':', '.']))
}

/// A written page as the passages that can be said.
#[derive(Default)]
struct Page {
    blocks: Vec<String>,
    saw_code: bool,
    saw_table: bool,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut fence: Option<&str> = None;
        // Whether the next line goes on with the last block.
        let mut open = false;
        for line in text.lines() {
            let bare = line.trim();
            if let Some(mark) = fence {
                if bare.starts_with(mark) {
                    fence = None;
                }
                continue;
            }
            if let Some(mark) = ["```", "~~~"].into_iter().find(|it| bare.starts_with(it)) {
                fence = Some(mark);
                page.saw_code = true;
                open = false;
                continue;
            }
            if bare.is_empty() || is_rule(bare) {
                open = false;
                continue;
            }
            if bare.starts_with('|') {
                page.saw_table = true;
                open = false;
                continue;
            }
            let indented = line.starts_with("    ") || line.starts_with('\t');
            let (own_block, body) = unmarked(bare);
            if indented && !open && !own_block {
                page.saw_code = true;
                continue;
            }
            match page.blocks.last_mut() {
                Some(block) if open && !own_block => {
                    block.push(' ');
                    block.push_str(body);
                }
                _ => page.blocks.push(body.to_owned()),
            }
            // A heading stands alone; everything else may be wrapped onto the next line.
            open = !bare.starts_with('#');
        }
        page
    }
}

fn is_rule(line: &str) -> bool {
    3 <= line.len() && line.chars().all(|it| matches!(it, '-' | '*' | '_' | '=' | ' '))
}

/// The line without the marker of a list item, heading or quote; true if it had one.
fn unmarked(line: &str) -> (bool, &str) {
    let body = line.trim_start_matches(['>', ' ']);
    let heading = body.trim_start_matches('#');
    if heading.len() < body.len() && heading.starts_with(' ') {
        return (true, heading.trim());
    }
    for bullet in ["- ", "* ", "+ ", "• "] {
        if let Some(item) = body.strip_prefix(bullet) {
            let item = item.trim_start();
            let done = ["[ ] ", "[x] ", "[X] "].into_iter().find_map(|it| item.strip_prefix(it));
            return (true, done.unwrap_or(item));
        }
    }
    let digits = body.chars().take_while(char::is_ascii_digit).count();
    if 0 < digits
        && digits <= 3
        && let Some(item) = body[digits..].strip_prefix(". ").or(body[digits..].strip_prefix(") "))
    {
        return (true, item.trim_start());
    }
    (body.len() < line.len(), body)
}

/// Links become their text, emphasis and code marks vanish.
fn without_inline_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some((name, after)) = link(rest) {
            plain.push_str(name);
            rest = after;
            continue;
        }
        let marks = rest.len() - rest.trim_start_matches(char).len();
        match char {
            '`' => (),
            '*' | '~' if 1 < marks || is_emphasis(&plain, &rest[marks..]) => (),
            '_' if is_emphasis(&plain, &rest[marks..]) => (),
            _ => plain.push_str(&rest[..marks]),
        }
        rest = &rest[marks..];
    }
    plain
}

/// A mark at the edge of a word is emphasis; inside of one it is part of a name, and alone it
/// is an operator.
fn is_emphasis(before: &str, after: &str) -> bool {
    let opens = before.chars().last().is_none_or(|it| !it.is_alphanumeric());
    let closes = after.chars().next().is_none_or(|it| !it.is_alphanumeric());
    let alone = before.chars().last().is_none_or(char::is_whitespace)
        && after.chars().next().is_none_or(char::is_whitespace);
    (opens || closes) && !alone
}

/// `[name](address)`, with or without `!`, at the start of the text: its name, and what follows.
fn link(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix('!').unwrap_or(text).strip_prefix('[')?;
    let (name, rest) = body.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!name.contains(['[', '\n'])).then_some((name, after))
}

/// One written word, as it is said; empty if it is not.
fn spoken(word: &str) -> String {
    let core = word.trim_matches(|it: char| {
        !it.is_alphanumeric()
            && !matches!(it, '/' | '.' | '_' | '-' | '%' | '~' | '$' | '#' | '+')
            && !is_operator(it)
    });
    // Marks at the end of a sentence are not part of what is said.
    let core = core.trim_end_matches(MARKS).trim_end_matches("()");
    let before = word.find(core).unwrap_or(0);
    let after = &word[before + core.len()..];
    let mark = after.chars().find(|it| MARKS.contains(it));
    // The path of a line in a file ends in a colon that belongs to it.
    let said = core_spoken(core);
    match (said.is_empty(), mark) {
        (true, Some('.' | '!' | '?')) => mark.map(String::from).unwrap_or_default(),
        (true, _) => String::new(),
        (false, Some(mark)) => format!("{said}{mark}"),
        (false, None) => said,
    }
}

fn is_operator(char: char) -> bool {
    matches!(char, '=' | '<' | '>' | '&' | '|' | '→' | '≤' | '≥' | '≠')
}

fn core_spoken(core: &str) -> String {
    if core.is_empty() {
        return String::new();
    }
    if let Some(word) = operator(core) {
        return word.to_owned();
    }
    if !core.chars().any(char::is_alphanumeric) {
        return String::new();
    }
    if core.contains("://") || core.starts_with("www.") {
        return "a link".to_owned();
    }
    if let Some(number) = number(core) {
        return number;
    }
    if let Some(id) = opaque_id(core) {
        return id;
    }
    if is_path(core) {
        return path(core);
    }
    // What is left may be words joined by marks: an identifier, a call, an assignment.
    let mut said: Vec<String> = Vec::new();
    for part in core.split(|it: char| {
        !it.is_alphanumeric() && !matches!(it, '\'' | '’' | '-' | '.' | '%' | '_')
    }) {
        for word in part.split("__").flat_map(|it| it.split('_')) {
            if let Some(name) = file_name(word) {
                said.push(name);
            } else {
                said.extend(words_of(word.trim_matches(['-', '.'])));
            }
        }
    }
    let said = said.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
    if core.contains("==") { said.replacen(' ', " equals ", 1) } else { said }
}

fn operator(text: &str) -> Option<&'static str> {
    Some(match text {
        "==" | "=" => "equals",
        "!=" | "≠" => "is not",
        "->" | "=>" | "→" => "to",
        "&&" | "&" => "and",
        "||" => "or",
        "<" => "is less than",
        ">" => "is more than",
        "<=" | "≤" => "is at most",
        ">=" | "≥" => "is at least",
        "+" => "plus",
        _ => return None,
    })
}

/// Numbers with their unit. More digits than an ear can hold become "about".
fn number(text: &str) -> Option<String> {
    if let Some(positive) = text.strip_prefix('-') {
        return number(positive).map(|said| format!("minus {said}"));
    }
    let count =
        |it: &str| !it.is_empty() && it.len() < 7 && it.chars().all(|it| it.is_ascii_digit());
    if let Some((part, whole)) = text.split_once('/')
        && count(part)
        && count(whole)
    {
        return Some(format!("{part} of {whole}"));
    }
    let digits_end = text.find(|it: char| !it.is_ascii_digit() && !matches!(it, '.' | ',' | '_'));
    let (figures, unit) = text.split_at(digits_end.unwrap_or(text.len()));
    let unit = match unit {
        "" => "",
        "s" => " seconds",
        "ms" => " milliseconds",
        "us" | "µs" | "μs" => " microseconds",
        "%" => " percent",
        "KB" | "kB" | "KiB" => " kilobytes",
        "MB" | "MiB" => " megabytes",
        "GB" | "GiB" => " gigabytes",
        _ => return None,
    };
    if !figures.starts_with(|it: char| it.is_ascii_digit()) || 1 < figures.matches('.').count() {
        return None;
    }
    let plain: String = figures.chars().filter(|it| !matches!(it, ',' | '_')).collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let said = if 15 < whole.len() {
        "a very long number".to_owned()
    } else if 7 <= whole.len() {
        about(whole.parse().ok()?)
    } else if 2 < fraction.len() {
        // The ear keeps two places.
        let rounded = format!("{:.2}", plain.parse::<f64>().ok()?);
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        plain.trim_end_matches('.').to_owned()
    };
    Some(format!("{said}{unit}"))
}

fn about(number: u64) -> String {
    let scales = [(1_000_000_000_000, "trillion"), (1_000_000_000, "billion")];
    let (unit, name) =
        scales.into_iter().find(|(unit, _)| *unit <= number).unwrap_or((1_000_000, "million"));
    let tenths = (number + unit / 20) / (unit / 10);
    match tenths % 10 {
        0 => format!("about {} {name}", tenths / 10),
        tenth => format!("about {}.{tenth} {name}", tenths / 10),
    }
}

/// Hashes and ids: nobody can follow them, but four characters tell two apart.
fn opaque_id(text: &str) -> Option<String> {
    let hex = text.chars().all(|it| it.is_ascii_hexdigit());
    let mixed = text.chars().any(|it| it.is_ascii_digit()) && text.chars().any(char::is_alphabetic);
    if hex && mixed && 7 <= text.len() {
        return Some(spelled(&text[..4]));
    }
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let uuid =
        groups == [8, 4, 4, 4, 12] && text.chars().all(|it| it.is_ascii_hexdigit() || it == '-');
    uuid.then(|| "an id".to_owned())
}

fn is_path(text: &str) -> bool {
    let inside = text.trim_start_matches(['.', '~']).trim_matches('/');
    let words = inside.split('/').count();
    let named = inside.rsplit('/').next().is_some_and(|it| it.contains('.'));
    // "and/or" and "3/4" are not paths.
    inside.contains('/')
        && (named || 3 <= words || text.starts_with(['/', '.', '~']) || text.ends_with('/'))
}

/// The last component, and the line if one is given.
fn path(text: &str) -> String {
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text);
    let mut parts = name.split(':');
    let name = parts.next().unwrap_or(name);
    let line = parts.next().filter(|it| !it.is_empty() && it.chars().all(|it| it.is_ascii_digit()));
    let name = file_name(name).unwrap_or_else(|| core_words(name));
    match line {
        Some(line) => format!("{name} line {line}"),
        None => name,
    }
}

/// `lexer.rs` is "lexer dot R S".
fn file_name(text: &str) -> Option<String> {
    let (stem, extension) = text.rsplit_once('.')?;
    let sensible = (1..=5).contains(&extension.len())
        && extension.chars().all(|it| it.is_ascii_alphanumeric())
        && extension.chars().any(|it| it.is_ascii_lowercase())
        && stem.chars().any(char::is_alphabetic)
        // "e.g" and "i.e" are not files.
        && (1 < stem.len() || 1 < extension.len());
    if !sensible {
        return None;
    }
    let spell = !extension.contains(['a', 'e', 'i', 'o', 'u']) || extension.len() == 1;
    let extension = if spell { spelled(extension) } else { extension.to_owned() };
    Some(format!("{} dot {extension}", core_words(stem)))
}

fn spelled(text: &str) -> String {
    let letters: Vec<String> = text.chars().map(|it| it.to_uppercase().to_string()).collect();
    letters.join(" ")
}

/// The words of a name in any of the cases that programs write.
fn core_words(name: &str) -> String {
    let words = name.split(|it: char| !it.is_alphanumeric() && it != '\'');
    words.flat_map(words_of).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The words of `camelCase`, `PascalCase`, `HTTPServer`; of `SHOUTED` words the quiet form.
fn words_of(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|it| chars[it]);
        let next = chars.get(at + 1);
        let hump = char.is_uppercase()
            && before.is_some_and(|it| it.is_lowercase() || it.is_ascii_digit());
        // The last capital of a run begins a word: HTTP|Server.
        let after_run = char.is_uppercase()
            && before.is_some_and(char::is_uppercase)
            && next.is_some_and(|it| it.is_lowercase());
        if hump || after_run {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*char);
        }
    }
    // Capitals that spell nothing short are shouting: say the word, not the letters.
    let quiet = |word: String| {
        let shouted = 5 < word.len() && word.chars().all(|it| it.is_ascii_uppercase());
        if shouted { word.to_lowercase() } else { word }
    };
    words.into_iter().map(quiet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, spoken: &str) {
        assert_eq!(for_the_ear(written), spoken, "of {written:?}");
    }

    #[test]
    fn plain_words_stay() {
        check("The tests pass.", "The tests pass.");
        check("All 12 tests pass", "All 12 tests pass.");
        check("It doesn't work, e.g. here. Why not?", "It doesn't work, e.g. here. Why not?");
        check("A well-known and/or case (see below).", "A well-known and or case see below.");
    }

    #[test]
    fn the_label_is_not_said() {
        check("\"Agent Final Message\":\n\nOne test fails.", "One test fails.");
        check("[BACKEND] Still working.", "Still working.");
    }

    #[test]
    fn markup_is_not_said() {
        check(
            "## Result\n\n**One** test _fails_: `adds_two`.",
            "Result. One test fails: adds two.",
        );
        check("- first thing\n- second thing", "first thing. second thing.");
        check("1. build\n2) test\n* [x] ship", "build. test. ship.");
        check("See [the guide](https://example.com/a_b) now.", "See the guide now.");
        check("Look at https://example.com/x?y=1.", "Look at a link.");
        check("> quoted words\n> go on", "quoted words. go on.");
        check("A line that was\nwrapped by its writer.", "A line that was wrapped by its writer.");
        check("a * b and **c**", "a b and c.");
    }

    #[test]
    fn code_is_not_said() {
        check(
            "I changed it:\n```rust\nfn main() { panic!(\"no.\") }\n```\nNow it passes.",
            "I changed it: Now it passes. There is code on the screen.",
        );
        check("```\nx = 1\n```", "There is code on the screen.");
        check("Fixed.\n\n    let x = 1;\n", "Fixed. There is code on the screen.");
        check("| a | b |\n|---|---|\n| 1 | 2 |", "The answer is on the screen.");
        check("Done.\n\n| a | b |", "Done. The rest is on the screen.");
    }

    #[test]
    fn paths_are_file_names() {
        check("The bug is in src/parser/lexer.rs.", "The bug is in lexer dot R S.");
        check(
            "It panics at crates/app/src/main.rs:42:13, in main.",
            "It panics at main dot R S line 42, in main.",
        );
        check("See ./tests/test_api.py:7: it fails.", "See test api dot P Y line 7: it fails.");
        check(
            "I edited /etc/hosts and ~/.bashrc and Cargo.toml.",
            "I edited hosts and bashrc and Cargo dot toml.",
        );
        check("The folder src/models/ is empty.", "The folder models is empty.");
    }

    #[test]
    fn identifiers_are_words() {
        check("`tests::parses_empty_input` fails.", "tests parses empty input fails.");
        check("Call parseHTTPRequest() first.", "Call parse HTTP Request first.");
        check("MAX_RETRY_COUNT is 3.", "MAX RETRY COUNT is 3.");
        check("TIMEOUT_SECONDS is 3.", "timeout seconds is 3.");
        check("__init__ and self.value_of", "init and self dot value of.");
        check("Pass --no-default-features to cargo.", "Pass no-default-features to cargo.");
        check("assertion `left == right` failed", "assertion left equals right failed.");
        check("Vec<String> -> Option<u8>", "Vec String to Option u8.");
    }

    #[test]
    fn numbers_that_no_ear_holds_are_shortened() {
        check("It took 3.14159265 s.", "It took 3.14 s.");
        check("It took 12.5ms and 3s.", "It took 12.5 milliseconds and 3 seconds.");
        check("12/15 tests pass.", "12 of 15 tests pass.");
        check("It returns -1.", "It returns minus 1.");
        check("There are 1234567 rows.", "There are about 1.2 million rows.");
        check("There are 2,000,000,000 rows.", "There are about 2 billion rows.");
        check("Exactly 123,456 of them, 99.5%.", "Exactly 123456 of them, 99.5 percent.");
        check("The number is 12345678901234567890.", "The number is a very long number.");
        check("Commit 3f2a9bc17d by Ann.", "Commit 3 F 2 A by Ann.");
        check("Id 550e8400-e29b-41d4-a716-446655440000.", "Id an id.");
        check("Rust 1.95.0 is fine.", "Rust 1.95.0 is fine.");
        check("The deadbeef and facade words.", "The deadbeef and facade words.");
    }

    #[test]
    fn three_sentences_and_sixty_words_at_most() {
        check("One. Two. Three.", "One. Two. Three.");
        check("One. Two. Three. Four.", "One. Two. Three. The rest is on the screen.");
        let long = format!("Short start. {}end.", "word ".repeat(58));
        check(&long, "Short start. The rest is on the screen.");
        let endless = "word ".repeat(500);
        let spoken = for_the_ear(&endless);
        assert!(spoken.ends_with("word. The rest is on the screen."), "{spoken}");
        assert_eq!(spoken.split_whitespace().count(), 60 + 6);
        // A closing sentence is said once, also if code was left out as well.
        check(
            "A. \n\nOne. Two. Three. Four.\n```\nx\n```",
            "A. One. Two. Three. The rest is on the screen.",
        );
    }

    #[test]
    fn what_an_agent_says_of_failing_tests() {
        check(
            "\"Agent Final Message\":\n\n1 of 4 tests fails: `tests::adds_negative_numbers` in \
             `src/lib.rs:27`.\n\nThe assertion `left == right` failed:\n- left: `5`\n- right: `-1`\n",
            "1 of 4 tests fails: tests adds negative numbers in lib dot R S line 27. The assertion \
             left equals right failed: left: 5. right: minus 1.",
        );
    }

    #[test]
    fn nothing_is_nothing() {
        for nothing in ["", "  \n\t", "---", "✅", "🎉 🎉", "\"Agent Final Message\":\n\n"] {
            check(nothing, "");
        }
        check("✅ Done — all green!", "Done all green!");
    }

    #[test]
    fn other_scripts_are_kept() {
        check("Die Prüfung schlägt fehl.", "Die Prüfung schlägt fehl.");
        check("テストは成功しました。", "テストは成功しました。");
    }

    /// Whatever is written: no panic, bounded, and no marks that a voice would read out.
    #[test]
    fn anything_can_be_shaped() {
        let pieces = [
            "word",
            "a_b",
            "`x`",
            "**",
            "[a](b",
            "](",
            "```\n",
            "\n",
            "\n\n",
            "- ",
            "1. ",
            "/",
            "a/b.c",
            "::",
            "->",
            "==",
            "3.1.4",
            "1e9",
            "é",
            "日本。",
            "“q”",
            "(",
            ")",
            "#",
            "|",
            "\\",
            "\u{0}",
            "…",
            ". ",
            "! ",
            ",",
            "_",
            "*",
            "~",
            "0x1F",
            "999999999",
            "--",
            "🎉",
            "camelCase",
            "'s",
            " ",
        ];
        let mut dice = stdx::Dice::new(11);
        for _ in 0..20_000 {
            let len = dice.roll(30);
            let text: String =
                (0..len).map(|_| pieces[dice.roll(pieces.len() as u64) as usize]).collect();
            let spoken = for_the_ear(&text);
            assert!(spoken.split_whitespace().count() <= 90, "{text:?} -> {spoken:?}");
            assert!(!spoken.contains(['`', '*', '|', '_', '\n', '#']), "{text:?} -> {spoken:?}");
        }
    }
}
