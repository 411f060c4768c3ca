//! Text for the ear: what a person reading an answer aloud would say.
//!
//! An answer is written for the eye: Markdown, paths, identifiers, versions, symbols. [`utterances`] turns it
//! into sentences of plain words and pauses. Blocks of code are not read at all. What comes out consists of
//! letters and apostrophes only; a single capital is that letter's name.
//!
//! Pure: the same text gives the same words.

mod blocks;
mod names;
mod numbers;

use crate::text::blocks::{paragraphs, sentences};

/// A sentence, as it was written and as it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Without Markdown, for captions.
    pub text: String,
    pub said: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Letters and apostrophes.
    Word(String),
    Pause(Pause),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    Comma,
    Semicolon,
    Colon,
    Dash,
    Period,
    Question,
    Exclamation,
}

/// The sentences of `text` that have something to say.
pub fn utterances(text: &str) -> Vec<Utterance> {
    let mut utterances = Vec::new();
    for paragraph in paragraphs(text) {
        for sentence in sentences(&paragraph) {
            let said = say(sentence);
            if said.iter().any(|token| matches!(token, Token::Word(_))) {
                utterances.push(Utterance { text: without_marks(sentence), said });
            }
        }
    }
    utterances
}

impl Pause {
    pub fn mark(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Colon => ':',
            Self::Dash => '—',
            Self::Period => '.',
            Self::Question => '?',
            Self::Exclamation => '!',
        }
    }

    fn from_mark(mark: char) -> Option<Self> {
        Some(match mark {
            ',' | '(' | ')' | '[' | ']' | '|' => Self::Comma,
            ';' => Self::Semicolon,
            ':' => Self::Colon,
            '—' | '–' => Self::Dash,
            '.' | '…' => Self::Period,
            '?' => Self::Question,
            '!' => Self::Exclamation,
            _ => return None,
        })
    }

    /// Of two pauses in one place the stronger one is heard.
    fn strength(self) -> u8 {
        match self {
            Self::Comma => 0,
            Self::Dash => 1,
            Self::Semicolon => 2,
            Self::Colon => 3,
            Self::Period => 4,
            Self::Exclamation => 5,
            Self::Question => 6,
        }
    }
}

impl std::fmt::Display for Utterance {
    /// As a line to read aloud.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, token) in self.said.iter().enumerate() {
            match token {
                Token::Word(word) if i == 0 => write!(f, "{word}")?,
                Token::Word(word) => write!(f, " {word}")?,
                Token::Pause(pause) => write!(f, "{}", pause.mark())?,
            }
        }
        Ok(())
    }
}

/// Collects the words of one sentence.
#[derive(Debug, Default)]
struct Speech {
    said: Vec<Token>,
}

impl Speech {
    fn word(&mut self, word: impl Into<String>) {
        self.said.push(Token::Word(word.into()));
    }

    /// Several words, separated by spaces.
    fn words(&mut self, words: &str) {
        self.said.extend(words.split(' ').map(|word| Token::Word(word.to_owned())));
    }

    /// Letter names.
    fn spell(&mut self, letters: &str) {
        for letter in letters.chars() {
            match letter.to_digit(10) {
                Some(digit) => self.words(&numbers::cardinal(u64::from(digit))),
                None => self.word(letter.to_uppercase().to_string()),
            }
        }
    }

    /// Nothing is said before the first word, and pauses do not add up.
    fn pause(&mut self, pause: Pause) {
        match self.said.last_mut() {
            None => {}
            Some(Token::Pause(last)) if last.strength() >= pause.strength() => {}
            Some(Token::Pause(last)) => *last = pause,
            Some(Token::Word(_)) => self.said.push(Token::Pause(pause)),
        }
    }

    fn follows_number(&self) -> bool {
        matches!(self.said.last(), Some(Token::Word(word)) if numbers::is_number_word(word))
    }
}

fn say(sentence: &str) -> Vec<Token> {
    let mut speech = Speech::default();
    for chunk in sentence.split_whitespace() {
        say_chunk(chunk, &mut speech);
    }
    // Questions rise; everything else comes to rest.
    if !matches!(speech.said.last(), Some(Token::Pause(Pause::Question | Pause::Exclamation))) {
        speech.pause(Pause::Period);
        if let Some(Token::Pause(last)) = speech.said.last_mut() {
            *last = Pause::Period;
        }
    }
    speech.said
}

/// What stands between two spaces: marks around a core.
fn say_chunk(chunk: &str, speech: &mut Speech) {
    // `main()` is said like `main`.
    let chunk = chunk.replace("()", "");
    let chunk = chunk.as_str();
    if let Some(words) = names::abbreviation(chunk) {
        speech.words(words);
        return;
    }
    if let Some(words) = names::operator(chunk) {
        speech.words(words);
        return;
    }
    let opened = chunk.trim_start_matches(is_opening);
    for mark in
        chunk[..chunk.len() - opened.len()].chars().filter(|mark| matches!(mark, '(' | '[' | '|'))
    {
        speech.pause(Pause::from_mark(mark).unwrap_or(Pause::Comma));
    }
    let core = opened.trim_end_matches(is_closing);
    if let Some(words) =
        names::abbreviation(core.trim_end_matches('.')).filter(|_| !core.is_empty())
    {
        speech.words(words);
    } else {
        say_core(core, speech);
    }
    for mark in opened[core.len()..].chars() {
        if let Some(pause) = Pause::from_mark(mark) {
            speech.pause(pause);
        }
    }
}

fn say_core(core: &str, speech: &mut Speech) {
    if core.is_empty() || numbers::say(core, speech) {
        return;
    }
    names::say(core, speech);
}

fn is_opening(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | '"' | '\'' | '“' | '‘' | '`' | '*' | '_' | '¿' | '¡' | '«' | '|')
}

fn is_closing(c: char) -> bool {
    matches!(
        c,
        ')' | ']'
            | '}'
            | '"'
            | '\''
            | '”'
            | '’'
            | '`'
            | '*'
            | '_'
            | '»'
            | '.'
            | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '—'
            | '–'
            | '('
            | '['
            | '{'
            | '|'
    )
}

/// The marks of Markdown mean nothing in a caption.
fn without_marks(sentence: &str) -> String {
    sentence.replace("**", "").replace('`', "").trim().to_owned()
}
