//! Numbers as words: counts, decimals, versions, times, dates, amounts with units.

use super::{Pause, Speech, names};

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
const THOUSANDS: [&str; 6] = ["", "thousand", "million", "billion", "trillion", "quadrillion"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// As written, said of one, said of several.
const UNITS: [(&str, &str, &str); 34] = [
    ("%", "percent", "percent"),
    ("ns", "nanosecond", "nanoseconds"),
    ("µs", "microsecond", "microseconds"),
    ("μs", "microsecond", "microseconds"),
    ("us", "microsecond", "microseconds"),
    ("ms", "millisecond", "milliseconds"),
    ("s", "second", "seconds"),
    ("sec", "second", "seconds"),
    ("min", "minute", "minutes"),
    ("h", "hour", "hours"),
    ("hr", "hour", "hours"),
    ("d", "day", "days"),
    ("B", "byte", "bytes"),
    ("kB", "kilobyte", "kilobytes"),
    ("KB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("KiB", "kibibyte", "kibibytes"),
    ("MiB", "mebibyte", "mebibytes"),
    ("GiB", "gibibyte", "gibibytes"),
    ("Hz", "hertz", "hertz"),
    ("kHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("px", "pixel", "pixels"),
    ("k", "thousand", "thousand"),
    ("K", "thousand", "thousand"),
    ("M", "million", "million"),
    ("x", "times", "times"),
    ("×", "times", "times"),
    ("°", "degree", "degrees"),
    ("km", "kilometer", "kilometers"),
    ("m", "meter", "meters"),
];

/// Says `core` if it is a number of some kind.
pub(super) fn say(core: &str, speech: &mut Speech) -> bool {
    let digits = core.bytes().any(|b| b.is_ascii_digit());
    if !digits {
        // "12 ms", written apart.
        if core.len() > 1
            && speech.follows_number()
            && let Some((_, one, many)) = UNITS.iter().find(|(unit, _, _)| *unit == core)
        {
            let single =
                matches!(speech.said.last(), Some(super::Token::Word(word)) if word == "one");
            speech.word(if single { *one } else { *many });
            return true;
        }
        return false;
    }
    say_signed(core, speech)
        || say_money(core, speech)
        || say_date(core, speech)
        || say_time(core, speech)
        || say_version(core, speech)
        || say_range(core, speech)
        || say_hexadecimal(core, speech)
        || say_amount(core, speech)
}

/// `1234` as "one thousand two hundred thirty four".
pub(super) fn cardinal(number: u64) -> String {
    if number < 20 {
        return SMALL[number as usize].to_owned();
    }
    let mut words = Vec::new();
    let mut group = 1_000u64.pow(5);
    for thousand in THOUSANDS.iter().rev() {
        let part = number / group % 1_000;
        // Nothing is bigger than the first group's name.
        let part = if group == 1_000u64.pow(5) { number / group } else { part };
        if part > 0 {
            below_thousand(part % 1_000, &mut words);
            if !thousand.is_empty() {
                words.push(thousand);
            }
        }
        group = (group / 1_000).max(1);
    }
    words.join(" ")
}

/// Reads a run of digits as people read them inside names: `8` as "eight", `256` as "two fifty six", `007` digit
/// by digit.
pub(super) fn inside_name(digits: &str, speech: &mut Speech) {
    let number =
        digits.parse::<u64>().ok().filter(|_| digits.len() == 1 || !digits.starts_with('0'));
    match (digits.len(), number) {
        (3, Some(number)) if number % 100 >= 10 => {
            speech.words(&cardinal(number / 100));
            speech.words(&cardinal(number % 100));
        }
        (4, Some(number)) => speech.words(&year(number)),
        (..=6, Some(number)) => speech.words(&cardinal(number)),
        _ => speech.spell(digits),
    }
}

pub(super) fn is_number_word(word: &str) -> bool {
    SMALL.contains(&word) || TENS.contains(&word) || THOUSANDS.contains(&word) || word == "hundred"
}

fn below_thousand(number: u64, words: &mut Vec<&'static str>) {
    if number >= 100 {
        words.extend([SMALL[(number / 100) as usize], "hundred"]);
    }
    match number % 100 {
        0 => {}
        rest @ 1..20 => words.push(SMALL[rest as usize]),
        rest => {
            words.push(TENS[(rest / 10) as usize]);
            if rest % 10 > 0 {
                words.push(SMALL[(rest % 10) as usize]);
            }
        }
    }
}

fn ordinal(number: u64) -> String {
    let words = cardinal(number);
    let (before, last) =
        words.rsplit_once(' ').map_or(("", words.as_str()), |(before, last)| (before, last));
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        last if last.ends_with('y') => format!("{}ieth", &last[..last.len() - 1]),
        last => format!("{last}th"),
    };
    if before.is_empty() { last } else { format!("{before} {last}") }
}

/// Four digits in pairs, as years are said: `2026` as "twenty twenty six".
fn year(number: u64) -> String {
    let (century, rest) = (number / 100, number % 100);
    match (century, rest) {
        (_, _) if century % 10 == 0 && rest < 10 => cardinal(number),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..10) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

fn say_signed(core: &str, speech: &mut Speech) -> bool {
    for (sign, words) in [
        (">=", "at least"),
        ("<=", "at most"),
        ("≥", "at least"),
        ("≤", "at most"),
        ("==", "equals"),
        ("~", "about"),
        ("≈", "about"),
        ("<", "less than"),
        (">", "more than"),
        ("=", "equals"),
        ("#", "number"),
        ("-", "minus"),
        ("−", "minus"),
        ("+", "plus"),
        ("×", "times"),
    ] {
        if let Some(rest) = core.strip_prefix(sign)
            && rest.starts_with(|c: char| c.is_ascii_digit() || c == '$' || c == '.')
        {
            let before = speech.said.len();
            speech.words(words);
            if say(rest, speech) {
                return true;
            }
            speech.said.truncate(before);
        }
    }
    false
}

fn say_money(core: &str, speech: &mut Speech) -> bool {
    for (sign, one, many, small) in [
        ('$', "dollar", "dollars", "cents"),
        ('€', "euro", "euros", "cents"),
        ('£', "pound", "pounds", "pence"),
    ] {
        let Some(amount) = core.strip_prefix(sign) else { continue };
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let Some(number) = whole_number(whole) else { continue };
        if !fraction.is_empty() && (fraction.len() != 2 || fraction.parse::<u64>().is_err()) {
            return false;
        }
        speech.words(&cardinal(number));
        speech.word(if number == 1 { one } else { many });
        if let Some(rest) = fraction.parse().ok().filter(|rest| *rest > 0) {
            speech.word("and");
            speech.words(&cardinal(rest));
            speech.word(small);
        }
        return true;
    }
    false
}

/// `2026-11-23`.
fn say_date(core: &str, speech: &mut Speech) -> bool {
    let parts: Vec<&str> = core.split('-').collect();
    let [y, m, d] = parts.as_slice() else { return false };
    let lengths = (y.len(), m.len(), d.len()) == (4, 2, 2);
    let (Ok(y), Ok(m), Ok(d)) = (y.parse::<u64>(), m.parse::<usize>(), d.parse::<u64>()) else {
        return false;
    };
    if !lengths || !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return false;
    }
    speech.word(MONTHS[m - 1]);
    speech.words(&ordinal(d));
    speech.pause(Pause::Comma);
    speech.words(&year(y));
    true
}

/// `10:45`, `9:05am`, `10:45:30`.
fn say_time(core: &str, speech: &mut Speech) -> bool {
    let lower = core.to_ascii_lowercase();
    let (clock, half) = match lower.strip_suffix("am").or_else(|| lower.strip_suffix("pm")) {
        Some(clock) => (clock, &core[clock.len()..]),
        None => (lower.as_str(), ""),
    };
    let parts: Option<Vec<u64>> =
        clock.split(':').map(|part| part.parse().ok().filter(|_| part.len() <= 2)).collect();
    let (hour, minute, second) = match parts.as_deref() {
        Some([hour @ 0..24, minute @ 0..60]) => (*hour, *minute, None),
        Some([hour @ 0..24, minute @ 0..60, second @ 0..60]) => (*hour, *minute, Some(*second)),
        _ => return false,
    };
    // "3:1" is a ratio.
    if clock.split(':').skip(1).any(|part| part.len() != 2) {
        return false;
    }
    speech.words(&cardinal(hour));
    match minute {
        0 if half.is_empty() && second.is_none() => speech.word("o'clock"),
        0 if second.is_none() => {}
        0..10 => {
            speech.word("oh");
            speech.words(&cardinal(minute));
        }
        _ => speech.words(&cardinal(minute)),
    }
    if let Some(second) = second {
        speech.word("and");
        speech.words(&cardinal(second));
        speech.word(if second == 1 { "second" } else { "seconds" });
    }
    speech.spell(half);
    true
}

/// `1.95.0`, `v0.27`, `2.0.0-rc.15`.
fn say_version(core: &str, speech: &mut Speech) -> bool {
    let (marked, version) = match core.strip_prefix(['v', 'V']) {
        Some(version) => (true, version),
        None => (false, core),
    };
    let (numbers, suffix) = version.split_once(['-', '+']).unwrap_or((version, ""));
    let parts: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    let Some(parts) = parts.filter(|parts| marked || parts.len() > 2) else { return false };
    if marked {
        speech.word("version");
    }
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            speech.word("point");
        }
        speech.words(&cardinal(*part));
    }
    if !suffix.is_empty() {
        names::say(suffix, speech);
    }
    true
}

/// `3-5`, `3..5`, `12/13`.
fn say_range(core: &str, speech: &mut Speech) -> bool {
    for (mark, word) in [("..=", "to"), ("..", "to"), ("-", "to"), ("–", "to"), ("/", "of")] {
        let Some((from, to)) = core.split_once(mark) else { continue };
        let starts = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        if !starts(from) || !starts(to) || !from.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            continue;
        }
        let before = speech.said.len();
        if say_amount(from, speech) {
            speech.word(word);
            if say_amount(to, speech) {
                return true;
            }
        }
        speech.said.truncate(before);
    }
    false
}

fn say_hexadecimal(core: &str, speech: &mut Speech) -> bool {
    let Some(digits) = core.strip_prefix("0x") else { return false };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    speech.word("hex");
    // More than this nobody keeps in mind.
    speech.spell(&digits[..digits.len().min(8)]);
    true
}

/// `1,234`, `3.14`, `12ms`, `21st`.
fn say_amount(core: &str, speech: &mut Speech) -> bool {
    let length = core.len()
        - core.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).len();
    let (number, suffix) = core.split_at(length);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains(['.', ',']) {
        return false;
    }
    let fits = |rest: &str| rest.is_empty() || UNITS.iter().any(|(unit, _, _)| *unit == rest);
    if ["st", "nd", "rd", "th"].contains(&suffix) && fraction.is_empty() {
        let Some(number) = whole_number(whole) else { return false };
        speech.words(&ordinal(number));
        return true;
    }
    if !fits(suffix) || (whole.is_empty() && fraction.is_empty()) {
        return false;
    }
    let value = match whole_number(if whole.is_empty() { "0" } else { whole }) {
        Some(value) => value,
        // Too long for a number: a telephone, an identifier.
        None if whole.bytes().all(|b| b.is_ascii_digit())
            && fraction.is_empty()
            && suffix.is_empty() =>
        {
            speech.spell(&whole[..whole.len().min(24)]);
            return true;
        }
        None => return false,
    };
    let in_a_date = suffix.is_empty() && fraction.is_empty() && whole.len() == 4;
    if in_a_date && (1900..2100).contains(&value) {
        speech.words(&year(value));
    } else {
        speech.words(&cardinal(value));
    }
    if !fraction.is_empty() {
        speech.word("point");
        speech.spell(fraction);
    }
    if let Some((_, one, many)) = UNITS.iter().find(|(unit, _, _)| *unit == suffix) {
        speech.word(if value == 1 && fraction.is_empty() { *one } else { *many });
    }
    true
}

/// Digits, perhaps with commas between thousands, without a zero in front, of at most 15 digits.
fn whole_number(text: &str) -> Option<u64> {
    let digits: String = match text.split_once(',') {
        None => text.to_owned(),
        Some((first, rest)) => {
            let grouped =
                (1..=3).contains(&first.len()) && rest.split(',').all(|group| group.len() == 3);
            if !grouped {
                return None;
            }
            text.replace(',', "")
        }
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain && digits.len() <= 15)
}
