//! Follows a reply byte by byte and says whether it can still become a whole one.
//!
//! The set of places in the [`Grammar`] where the reply may be: one in almost every state,
//! as many as there are options at the start of an enumeration.

use super::grammar::{BLOCK_CLOSES, Closes, Grammar, Step};

/// A place in the grammar, and what was counted on the way into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: usize,
    inside: Inside,
    /// How often the innermost list was continued. Lists of lists share it: each bound then
    /// holds for both together, which is the safe side.
    repeats: u32,
}

/// How far a place has come in a step that takes several bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// `ended`: the last character that counts ends a sentence.
    Text {
        chars: u32,
        within: Within,
        ended: bool,
    },
    Integer {
        negative: bool,
        digits: u32,
        magnitude: u64,
    },
    Block {
        closing: u8,
        within: Within,
    },
}

/// Between characters, or in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Between,
    /// After a backslash.
    Escape,
    /// After `\u`, with this many hex digits to come; `high` has the first ones.
    Hex {
        left: u8,
        code: u16,
        low_due: bool,
    },
    /// After a high surrogate, which must be followed by `\u` and a low one.
    LowBackslash,
    LowU,
    /// In a UTF-8 sequence: bytes to come, and the range of the next.
    Utf8 {
        left: u8,
        from: u8,
        to: u8,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Matcher<'g> {
    grammar: &'g Grammar,
    places: Vec<Place>,
    /// Texts and blocks may only be finished, not continued.
    hurried: bool,
}

impl<'g> Matcher<'g> {
    pub(crate) fn new(grammar: &'g Grammar) -> Self {
        let mut places = Vec::new();
        let hurried = false;
        let first = Place { at: 0, inside: Inside::Nothing, repeats: 0 };
        settle(grammar, first, hurried, &mut places);
        Self { grammar, places, hurried }
    }

    /// Whether these bytes may come next.
    pub(crate) fn accepts(&self, bytes: &[u8]) -> bool {
        let mut places = self.places.clone();
        !bytes.is_empty() && bytes.iter().all(|it| self.step(&mut places, *it))
    }

    /// Takes bytes that were accepted. Others leave it as it was, and it says so.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> bool {
        let mut places = self.places.clone();
        let taken = bytes.iter().all(|it| self.step(&mut places, *it));
        if taken {
            self.places = places;
        }
        taken
    }

    /// Whether the reply is whole as it stands.
    pub(crate) fn may_end(&self) -> bool {
        self.places.iter().any(|it| self.is_end(it) || self.is_closed_block(it))
    }

    /// Whether nothing may follow.
    pub(crate) fn must_end(&self) -> bool {
        self.places.iter().all(|it| self.is_end(it) || (self.hurried && self.is_closed_block(it)))
    }

    /// Lets nothing more be said in this reply than what makes it whole.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
        let mut places = Vec::new();
        for place in self.places.drain(..) {
            settle(self.grammar, place, self.hurried, &mut places);
        }
        self.places = places;
    }

    /// The bytes that must come next, whatever the model thinks.
    pub(crate) fn forced(&self) -> Vec<u8> {
        let mut forced = Vec::new();
        let mut places = self.places.clone();
        // Longer than any literal of ours; a bound all the same.
        while forced.len() < 4_096 {
            let Some(byte) = self.only_byte(&places) else { break };
            if !self.step(&mut places, byte) {
                break;
            }
            forced.push(byte);
        }
        forced
    }

    fn is_end(&self, place: &Place) -> bool {
        matches!(self.grammar.step(place.at), Step::End)
    }

    /// A block that may be whole, or go on: its text may hold a block of its own.
    fn is_closed_block(&self, place: &Place) -> bool {
        matches!(place.inside, Inside::Block { closing, .. }
            if usize::from(closing) == BLOCK_CLOSES.len())
    }

    fn only_byte(&self, places: &[Place]) -> Option<u8> {
        let mut only = None;
        for place in places {
            let byte = match (self.grammar.step(place.at), place.inside) {
                (Step::Byte(byte), _) => *byte,
                (Step::Block, Inside::Block { closing, within: Within::Between })
                    if self.hurried =>
                {
                    *BLOCK_CLOSES.get(usize::from(closing))?
                }
                // A text that is full has left for what follows it.
                (
                    Step::Text { max_chars, .. },
                    Inside::Text { chars, within: Within::Between, .. },
                ) if self.hurried || chars >= *max_chars => {
                    continue;
                }
                _ => return None,
            };
            if only.is_some_and(|it| it != byte) {
                return None;
            }
            only = Some(byte);
        }
        only
    }

    /// Moves every place over `byte`; false when none is left.
    fn step(&self, places: &mut Vec<Place>, byte: u8) -> bool {
        let mut next = Vec::with_capacity(places.len());
        for place in places.drain(..) {
            let step = self.grammar.step(place.at);
            match (step, place.inside) {
                (Step::Byte(expected), _) if *expected == byte => {
                    let after = Place { at: place.at + 1, inside: Inside::Nothing, ..place };
                    settle(self.grammar, after, self.hurried, &mut next);
                }
                (Step::Text { max_chars, .. }, Inside::Text { chars, within: before, ended }) => {
                    let full = self.hurried || chars >= *max_chars;
                    let Some(within) = string_byte(before, byte, full) else { continue };
                    let done = u32::from(within == Within::Between);
                    let chars = chars.saturating_add(done);
                    let ended = ends_sentence(before, byte, ended);
                    let inside = Inside::Text { chars, within, ended };
                    settle(self.grammar, Place { inside, ..place }, self.hurried, &mut next);
                }
                (Step::Integer { min, max }, Inside::Integer { negative, digits, magnitude }) => {
                    let Some(inside) = integer_byte(byte, negative, digits, magnitude, *min, *max)
                    else {
                        continue;
                    };
                    settle(self.grammar, Place { inside, ..place }, self.hurried, &mut next);
                }
                (Step::Block, Inside::Block { closing, within }) => {
                    let Some(inside) = self.block_byte(closing, within, byte) else { continue };
                    settle(self.grammar, Place { inside, ..place }, self.hurried, &mut next);
                }
                (
                    Step::Byte(_)
                    | Step::Text { .. }
                    | Step::Integer { .. }
                    | Step::Block
                    | Step::Fork(_)
                    | Step::Jump(_)
                    | Step::Repeat { .. }
                    | Step::End,
                    _,
                ) => {}
            }
        }
        *places = next;
        !places.is_empty()
    }

    fn block_byte(&self, closing: u8, within: Within, byte: u8) -> Option<Inside> {
        if within == Within::Between {
            let due = BLOCK_CLOSES.get(usize::from(closing));
            if due == Some(&byte) {
                return Some(Inside::Block { closing: closing + 1, within });
            }
            if self.hurried {
                return None;
            }
        }
        let within = match within {
            Within::Between if byte == b'\n' => {
                return Some(Inside::Block { closing: 1, within });
            }
            Within::Between => plain_byte(byte, true)?,
            Within::Utf8 { left, from, to } => utf8_byte(left, from, to, byte)?,
            Within::Escape | Within::Hex { .. } | Within::LowBackslash | Within::LowU => {
                return None;
            }
        };
        Some(Inside::Block { closing: 0, within })
    }
}

/// Follows the steps that take no byte, and adds the places where one is due.
fn settle(grammar: &Grammar, place: Place, hurried: bool, places: &mut Vec<Place>) {
    let mut todo = vec![place];
    while let Some(mut place) = todo.pop() {
        match grammar.step(place.at) {
            Step::Fork(targets) => {
                // The first is looked at first: `todo` is a stack.
                todo.extend(targets.iter().rev().map(|at| Place {
                    at: *at,
                    inside: Inside::Nothing,
                    repeats: place.repeats,
                }));
                continue;
            }
            Step::Jump(at) => {
                todo.push(Place { at: *at, inside: Inside::Nothing, ..place });
                continue;
            }
            Step::Repeat { again, most } => {
                todo.push(Place { at: place.at + 1, inside: Inside::Nothing, ..place });
                if place.repeats + 1 < *most {
                    let repeats = place.repeats + 1;
                    todo.push(Place { at: *again, inside: Inside::Nothing, repeats });
                }
                continue;
            }
            Step::Text { max_chars, closes } => {
                if place.inside == Inside::Nothing {
                    place.inside = Inside::Text { chars: 0, within: Within::Between, ended: false };
                }
                if let Inside::Text { chars, within: Within::Between, ended } = place.inside
                    && (*closes == Closes::Anywhere || ended || hurried || chars >= *max_chars)
                {
                    todo.push(Place { at: place.at + 1, inside: Inside::Nothing, ..place });
                }
            }
            Step::Integer { min, max } => match place.inside {
                Inside::Integer { negative, digits, magnitude } => {
                    if digits > 0 && fits(negative, magnitude, *min, *max) {
                        todo.push(Place { at: place.at + 1, inside: Inside::Nothing, ..place });
                    }
                }
                Inside::Nothing | Inside::Text { .. } | Inside::Block { .. } => {
                    place.inside = Inside::Integer { negative: false, digits: 0, magnitude: 0 };
                }
            },
            Step::Block => {
                if place.inside == Inside::Nothing {
                    // The line break before the block counts: an empty one may close at once.
                    place.inside = Inside::Block { closing: 1, within: Within::Between };
                }
            }
            Step::Byte(_) | Step::End => {}
        }
        if !places.contains(&place) {
            places.push(place);
        }
    }
}

/// One byte of a JSON string. `full` lets no new character begin.
fn string_byte(within: Within, byte: u8, full: bool) -> Option<Within> {
    match within {
        Within::Between if full => None,
        Within::Between if byte == b'\\' => Some(Within::Escape),
        Within::Between if byte == b'"' => None,
        Within::Between => plain_byte(byte, false),
        Within::Escape => match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(Within::Between),
            b'u' => Some(Within::Hex { left: 4, code: 0, low_due: false }),
            _ => None,
        },
        Within::Hex { left, code, low_due } => {
            let digit = char::from(byte).to_digit(16)? as u16;
            let code = code << 4 | digit;
            if left > 1 {
                return Some(Within::Hex { left: left - 1, code, low_due });
            }
            match (code, low_due) {
                (0xDC00..=0xDFFF, true) => Some(Within::Between),
                (_, true) | (0xDC00..=0xDFFF, false) => None,
                (0xD800..=0xDBFF, false) => Some(Within::LowBackslash),
                (_, false) => Some(Within::Between),
            }
        }
        Within::LowBackslash => (byte == b'\\').then_some(Within::LowU),
        Within::LowU => (byte == b'u').then_some(Within::Hex { left: 4, code: 0, low_due: true }),
        Within::Utf8 { left, from, to } => utf8_byte(left, from, to, byte),
    }
}

/// Whether a text may be whole behind this byte. Quotes and brackets close what they closed
/// before; what an escape stands for is taken for one of them. Of other scripts' characters no one
/// knows here which end a sentence.
fn ends_sentence(before: Within, byte: u8, ended: bool) -> bool {
    match before {
        Within::Between => match byte {
            b'.' | b'!' | b'?' | 0x80..=0xFF => true,
            b'\\' | b')' | b']' | b'`' | b'\'' | b'*' => ended,
            _ => false,
        },
        Within::Escape
        | Within::Hex { .. }
        | Within::LowBackslash
        | Within::LowU
        | Within::Utf8 { .. } => ended,
    }
}

/// The first byte of a character. The ranges are those of well-formed UTF-8.
fn plain_byte(byte: u8, lines: bool) -> Option<Within> {
    let sequence = |left, from, to| Some(Within::Utf8 { left, from, to });
    match byte {
        b'\t' | b'\n' | b'\r' => lines.then_some(Within::Between),
        0x20..=0x7E => Some(Within::Between),
        0xC2..=0xDF => sequence(1, 0x80, 0xBF),
        0xE0 => sequence(2, 0xA0, 0xBF),
        0xE1..=0xEC | 0xEE..=0xEF => sequence(2, 0x80, 0xBF),
        0xED => sequence(2, 0x80, 0x9F),
        0xF0 => sequence(3, 0x90, 0xBF),
        0xF1..=0xF3 => sequence(3, 0x80, 0xBF),
        0xF4 => sequence(3, 0x80, 0x8F),
        0x00..=0x1F | 0x7F..=0xC1 | 0xF5..=0xFF => None,
    }
}

fn utf8_byte(left: u8, from: u8, to: u8, byte: u8) -> Option<Within> {
    if !(from..=to).contains(&byte) {
        return None;
    }
    Some(match left {
        0 | 1 => Within::Between,
        _ => Within::Utf8 { left: left - 1, from: 0x80, to: 0xBF },
    })
}

fn integer_byte(
    byte: u8,
    negative: bool,
    digits: u32,
    magnitude: u64,
    min: i64,
    max: i64,
) -> Option<Inside> {
    if byte == b'-' {
        let starts = !negative && digits == 0 && min < 0;
        return starts.then_some(Inside::Integer { negative: true, digits: 0, magnitude: 0 });
    }
    if !byte.is_ascii_digit() || (digits > 0 && magnitude == 0) {
        return None;
    }
    let magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    if negative && magnitude == 0 {
        return None;
    }
    // Some number that begins like this must be in range.
    let (mut from, mut to) = (i128::from(magnitude), i128::from(magnitude));
    let reachable = std::iter::repeat_with(|| {
        let (low, high) = if negative { (-to, -from) } else { (from, to) };
        let hit = low <= i128::from(max) && high >= i128::from(min);
        (from, to) = (from * 10, to * 10 + 9);
        hit
    });
    let reachable = reachable.take(if magnitude == 0 { 1 } else { 20 }).any(|it| it);
    reachable.then_some(Inside::Integer { negative, digits: digits + 1, magnitude })
}

fn fits(negative: bool, magnitude: u64, min: i64, max: i64) -> bool {
    let value = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    (i128::from(min)..=i128::from(max)).contains(&value)
}
