//! From words to Kokoro's phonemes, sentence by sentence.
//!
//! A word is looked up with its part of speech; where the dictionary does not have it, its ending is taken
//! off ("commits", "parsed", "parsing"); what is written in capitals and is no word is spelled; the rest is
//! sounded out by a network. Small words change with what follows: "the apple", "the pear", "what for".

use std::borrow::Cow;
use std::path::Path;

use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::text::{Pause, Token};
use crate::tts::jargon;
use crate::tts::lexicon::{BEFORE_PAUSE, DEFAULT, Entry, Lexicon, Variants};
use crate::tts::spelling::Spelling;
use crate::tts::tagger::Tagger;

const PRIMARY: char = 'ˈ';
const SECONDARY: char = 'ˌ';

/// Diphthongs are capitals in this alphabet: `A` is the vowel of "day".
const VOWELS: &str = "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ";
const CONSONANTS: &str = "bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ";
/// After these, Americans flap a `t` that begins an ending: "commit", "committed".
const BEFORE_FLAP: &str = "AIOWYiuæɑəɛɪɹʊʌ";

#[derive(Debug)]
pub(super) struct Phonemes {
    lexicon: Lexicon,
    tagger: Tagger,
    spelling: Spelling,
}

/// A word in its sentence.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    tag: &'a str,
    follows: Follows,
    before_to: bool,
}

/// The sound after a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    Vowel,
    Consonant,
    Pause,
}

impl Phonemes {
    pub(super) fn load(
        lexicons: [&Path; 2],
        tagger: &Path,
        spelling: &Path,
        cores: &Cores,
    ) -> Result<Self, LoadError> {
        let [careful, rough] = lexicons;
        Ok(Self {
            lexicon: Lexicon::read(careful, rough)?,
            tagger: Tagger::read(tagger)?,
            spelling: Spelling::load(spelling, cores)?,
        })
    }

    /// The phonemes of a sentence, a piece per token: words begin with a space where one is due.
    pub(super) fn of(&self, said: &[Token]) -> Result<Vec<String>, NetError> {
        let tags = self.tags(said);
        let mut follows = Follows::Pause;
        let mut before_to = false;
        let mut pieces = vec![String::new(); said.len()];
        // Backwards: a word depends on the sound of the next.
        for (i, (token, tag)) in said.iter().zip(tags).enumerate().rev() {
            match token {
                Token::Pause(pause) => {
                    pieces[i].push(pause.mark());
                    follows = Follows::Pause;
                    before_to = false;
                }
                Token::Word(word) => {
                    let sound = self.word(word, Place { tag, follows, before_to })?;
                    let sound = sound.replace('ɾ', "T").replace('ʔ', "t");
                    if let Some(first) = first_sound(&sound) {
                        follows = first;
                    }
                    before_to = word.eq_ignore_ascii_case("to");
                    pieces[i] = if i == 0 { sound } else { format!(" {sound}") };
                }
            }
        }
        Ok(pieces)
    }

    /// The tagger knows contractions as two words, as its texts were cut.
    fn tags(&self, said: &[Token]) -> Vec<&str> {
        let mut words: Vec<Cow<'_, str>> = Vec::new();
        let mut first_of: Vec<usize> = Vec::new();
        for token in said {
            first_of.push(words.len());
            match token {
                Token::Pause(pause) => words.push(Cow::Borrowed(match pause {
                    Pause::Comma => ",",
                    Pause::Semicolon => ";",
                    Pause::Colon => ":",
                    Pause::Dash => "--",
                    Pause::Period => ".",
                    Pause::Question => "?",
                    Pause::Exclamation => "!",
                })),
                Token::Word(word) => {
                    let (stem, ending) = split_contraction(word);
                    words.push(Cow::Borrowed(stem));
                    if !ending.is_empty() {
                        words.push(Cow::Borrowed(ending));
                    }
                }
            }
        }
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let tags = self.tagger.tag(&words);
        first_of.into_iter().map(|first| tags[first]).collect()
    }

    fn word(&self, word: &str, place: Place<'_>) -> Result<String, NetError> {
        let lower = word.to_lowercase();
        if let Some(sound) = jargon::sound(&lower).or_else(|| small_word(word, &lower, place)) {
            return Ok(sound.to_owned());
        }
        if let Some(sound) = self.in_capitals(word, &lower, place) {
            return Ok(sound);
        }
        if let Some(sound) = self.known(word, place).or_else(|| self.known(&lower, place)) {
            // The first word of a sentence, or a name, is never quite without stress.
            return Ok(if word == lower { sound } else { stressed(&sound, SECONDARY) });
        }
        if let Some(sound) = self.with_ending(&lower, place) {
            return Ok(sound);
        }
        // Nobody can sound out "npm".
        if lower.len() <= 5
            && lower.is_ascii()
            && !lower.contains(['a', 'e', 'i', 'o', 'u', 'y', '\''])
        {
            return Ok(self.letters(&lower));
        }
        // The parts of "it'd've" are known though the whole is not.
        let (stem, ending) = lower.split_once('\'').unwrap_or((&lower, ""));
        let mut sound = match self.known(stem, place) {
            Some(sound) if !ending.is_empty() => sound,
            Some(_) | None => self.spelling.phonemes(stem)?,
        };
        if !ending.is_empty() {
            sound.push_str(&self.spelling.phonemes(ending)?);
        }
        Ok(sound)
    }

    /// Words in capitals: initials, or a word that is shouted.
    fn in_capitals(&self, word: &str, lower: &str, place: Place<'_>) -> Option<String> {
        let (capitals, plural) = match word.strip_suffix('s') {
            Some(capitals) if capitals.len() > 1 => (capitals, true),
            Some(_) | None => (word, false),
        };
        if !capitals.chars().all(char::is_uppercase) {
            return None;
        }
        if word.chars().count() == 1 {
            return Some(self.letters(word));
        }
        if plural {
            let sound = jargon::sound(&capitals.to_lowercase())
                .map_or_else(|| self.letters(capitals), str::to_owned);
            return Some(with_s(&sound));
        }
        let sound = match self.lexicon.find_exactly(word) {
            Some(Entry::One(sound)) => Some(sound),
            // The noun "IT" is spelled, the pronoun is shouted.
            Some(Entry::Several(variants)) => choose(variants, place),
            // A name in capitals is a word if it can be stressed like one.
            None => match self.lexicon.find_exactly(lower) {
                Some(Entry::One(sound)) => Some(sound),
                Some(Entry::Several(variants)) => choose(variants, place),
                None => None,
            }
            .filter(|sound| place.tag != "NNP" || sound.contains(PRIMARY)),
        };
        match sound {
            Some(sound) => Some(stressed(sound, PRIMARY)),
            None if word.len() > 5 => None,
            None => Some(self.letters(word)),
        }
    }

    fn known(&self, word: &str, place: Place<'_>) -> Option<String> {
        match self.lexicon.find(word)? {
            Entry::One(sound) => Some(sound.to_owned()),
            Entry::Several(variants) => match choose(variants, place) {
                Some(sound) => Some(sound.to_owned()),
                None => Some(self.letters(word)),
            },
        }
    }

    fn stem(&self, stem: &str, place: Place<'_>) -> Option<String> {
        jargon::sound(stem).map(str::to_owned).or_else(|| self.known(stem, place))
    }

    /// A known word with an ending.
    fn with_ending(&self, word: &str, place: Place<'_>) -> Option<String> {
        if let Some(owner) = word.strip_suffix("'s").or_else(|| word.strip_suffix('\'')) {
            return self
                .stem(owner, place)
                .map(|sound| if word.ends_with('s') { with_s(&sound) } else { sound });
        }
        if let Some(stem) =
            word.strip_suffix('s').filter(|stem| stem.len() > 1 && !stem.ends_with('s'))
        {
            let singular = self
                .stem(stem, place)
                .or_else(|| self.stem(stem.strip_suffix('e')?, place))
                .or_else(|| self.stem(&format!("{}y", stem.strip_suffix("ie")?), place));
            if let Some(sound) = singular {
                return Some(with_s(&sound));
            }
        }
        if let Some(stem) = word.strip_suffix("ed").filter(|stem| stem.len() > 1) {
            let present = self
                .stem(&format!("{stem}e"), place)
                .or_else(|| self.stem(stem, place))
                .or_else(|| self.stem(undoubled(stem)?, place))
                .or_else(|| self.stem(&format!("{}y", stem.strip_suffix('i')?), place));
            if let Some(sound) = present {
                return Some(with_ed(&sound));
            }
        }
        if let Some(stem) = word.strip_suffix("ing").filter(|stem| stem.len() > 1) {
            let infinitive = self
                .stem(stem, place)
                .or_else(|| self.stem(&format!("{stem}e"), place))
                .or_else(|| self.stem(undoubled(stem)?, place));
            if let Some(sound) = infinitive {
                return Some(flapped(&sound, "ɪŋ"));
            }
        }
        for (prefix, sound) in
            [("un", "ʌn"), ("re", "ɹi"), ("non", "nɑn"), ("sub", "sʌb"), ("pre", "pɹi")]
        {
            if let Some(stem) = word.strip_prefix(prefix).filter(|stem| stem.len() > 3)
                && let Some(rest) = self.known(stem, place)
            {
                return Some(format!("{sound}{rest}"));
            }
        }
        None
    }

    /// The letters' names, the last one loudest, as initials are said.
    fn letters(&self, word: &str) -> String {
        let mut names = String::new();
        for letter in word.chars() {
            if let Some(Entry::One(name)) =
                self.lexicon.find_exactly(&letter.to_uppercase().to_string())
            {
                names.push_str(&name.replace(PRIMARY, &SECONDARY.to_string()));
            }
        }
        match names.rfind(SECONDARY) {
            Some(at) => {
                names.replace_range(at..at + SECONDARY.len_utf8(), &PRIMARY.to_string());
                names
            }
            None => names,
        }
    }
}

/// Words whose sound depends on their neighbours.
fn small_word(word: &str, lower: &str, place: Place<'_>) -> Option<&'static str> {
    let sound = match lower {
        "a" if word == "a" => "ɐ",
        "an" => "ɐn",
        "i" => "ˌI",
        "the" if place.follows == Follows::Vowel => "ði",
        "the" => "ðə",
        "to" => match place.follows {
            Follows::Vowel => "tʊ",
            Follows::Consonant => "tə",
            Follows::Pause => "tu",
        },
        "in" if word != "IN" => {
            if place.follows == Follows::Pause || place.tag != "IN" {
                "ˈɪn"
            } else {
                "ɪn"
            }
        }
        "am" if word != "AM" => {
            if place.follows == Follows::Pause {
                "æm"
            } else {
                "ɐm"
            }
        }
        "used" => {
            if place.before_to && matches!(place.tag, "VBD" | "JJ") {
                "jˈust"
            } else {
                "jˈuzd"
            }
        }
        _ => return None,
    };
    Some(sound)
}

/// The variant for this place; `None` if the letters are to be named.
fn choose<'a>(variants: &'a Variants, place: Place<'_>) -> Option<&'a str> {
    let part = match place.tag {
        tag if tag.starts_with("VB") => "VERB",
        tag if tag.starts_with("NN") => "NOUN",
        tag if tag.starts_with("RB") => "ADV",
        tag if tag.starts_with("JJ") => "ADJ",
        tag => tag,
    };
    let find = |wanted: &str| {
        variants.iter().find(|(tag, _)| tag == wanted).map(|(_, sound)| sound.as_deref())
    };
    let before_pause = if place.follows == Follows::Pause { find(BEFORE_PAUSE) } else { None };
    before_pause
        .or_else(|| find(place.tag))
        .or_else(|| find(part))
        .or_else(|| find(DEFAULT))
        .flatten()
}

fn split_contraction(word: &str) -> (&str, &str) {
    if word.len() > 3 && word.ends_with("n't") {
        return word.split_at(word.len() - 3);
    }
    match word.find('\'') {
        Some(at) if at > 0 => word.split_at(at),
        Some(_) | None => (word, ""),
    }
}

/// "commit" of "committ".
fn undoubled(stem: &str) -> Option<&str> {
    let bytes = stem.as_bytes();
    let [.., a, b] = bytes else { return None };
    (a == b && b.is_ascii_alphabetic() && !b"aeiou".contains(b)).then(|| &stem[..stem.len() - 1])
}

fn with_s(sound: &str) -> String {
    match sound.chars().last() {
        Some('p' | 't' | 'k' | 'f' | 'θ') => format!("{sound}s"),
        Some('s' | 'z' | 'ʃ' | 'ʒ' | 'ʧ' | 'ʤ') => format!("{sound}ᵻz"),
        Some(_) => format!("{sound}z"),
        None => String::new(),
    }
}

fn with_ed(sound: &str) -> String {
    match sound.chars().last() {
        Some('p' | 'k' | 'f' | 'θ' | 'ʃ' | 's' | 'ʧ') => format!("{sound}t"),
        Some('d') => format!("{sound}ᵻd"),
        Some('t') => flapped(sound, "ᵻd"),
        Some(_) => format!("{sound}d"),
        None => String::new(),
    }
}

/// `sound` with an ending that begins with a vowel.
fn flapped(sound: &str, ending: &str) -> String {
    match sound.strip_suffix('t') {
        Some(stem) if stem.ends_with(|c| BEFORE_FLAP.contains(c)) => format!("{stem}ɾ{ending}"),
        Some(_) | None => format!("{sound}{ending}"),
    }
}

/// With at least this much stress on some vowel.
fn stressed(sound: &str, least: char) -> String {
    if sound.contains(PRIMARY) || (least == SECONDARY && sound.contains(SECONDARY)) {
        return sound.to_owned();
    }
    if sound.contains(SECONDARY) {
        return sound.replacen(SECONDARY, &PRIMARY.to_string(), 1);
    }
    match sound.find(|c| VOWELS.contains(c)) {
        Some(vowel) => format!("{}{least}{}", &sound[..vowel], &sound[vowel..]),
        None => sound.to_owned(),
    }
}

fn first_sound(sound: &str) -> Option<Follows> {
    sound.chars().find_map(|c| match c {
        _ if VOWELS.contains(c) || c == 'ɐ' => Some(Follows::Vowel),
        _ if CONSONANTS.contains(c) || c == 'T' => Some(Follows::Consonant),
        _ => None,
    })
}
