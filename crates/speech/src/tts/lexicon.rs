//! How known words sound: two dictionaries in Kokoro's alphabet of phonemes, the second less carefully made.
//!
//! A pronunciation is one string, or several by the part of speech ("record", "read"); `null` among those
//! means that the letters are named ("IT", the noun).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::error::LoadError;

/// Unpacked, neither dictionary is near this; a file that is was made to fill the memory.
const LARGEST: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Lexicon {
    careful: Dictionary,
    rough: Dictionary,
}

/// What a dictionary says of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    One(&'a str),
    /// By part of speech; one of them is [`DEFAULT`].
    Several(&'a Variants),
}

pub(super) type Variants = Vec<(String, Option<String>)>;

/// The variant for every part of speech that has none of its own.
pub(super) const DEFAULT: &str = "DEFAULT";
/// The variant before a pause.
pub(super) const BEFORE_PAUSE: &str = "None";

/// Words sorted, all text in one piece: a hundred thousand small strings would take three times as much.
#[derive(Debug, Default)]
struct Dictionary {
    text: String,
    words: Vec<Word>,
    several: Vec<Variants>,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    start: u32,
    spelled: u16,
    /// Bytes of the phonemes after the spelling; or, of a word with variants, `u16::MAX`.
    sounded: u16,
    /// Where the variants are.
    several: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(std::collections::BTreeMap<String, Option<String>>),
}

impl Lexicon {
    pub(super) fn read(careful: &Path, rough: &Path) -> Result<Self, LoadError> {
        Ok(Self { careful: read_json(careful)?, rough: read_json(rough)? })
    }

    /// Exactly this spelling, or the one that differs in the first letter's case.
    pub(super) fn find(&self, word: &str) -> Option<Entry<'_>> {
        self.careful.find_cased(word).or_else(|| self.rough.find_cased(word))
    }

    /// Exactly this spelling, in the better dictionary.
    pub(super) fn find_exactly(&self, word: &str) -> Option<Entry<'_>> {
        self.careful.find(word)
    }
}

/// Unpacks `path` (gzip) and reads the JSON in it.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, LoadError> {
    let file = File::open(path).map_err(|source| LoadError::read(path, source))?;
    let mut text = String::new();
    GzDecoder::new(file)
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|source| LoadError::read(path, source))?;
    serde_json::from_str(&text).map_err(|error| LoadError::unsuitable(path, error.to_string()))
}

impl Dictionary {
    fn find_cased(&self, word: &str) -> Option<Entry<'_>> {
        self.find(word).or_else(|| {
            let first = word.chars().next()?;
            let rest = &word[first.len_utf8()..];
            if rest.is_empty() || rest.chars().any(char::is_uppercase) {
                return None;
            }
            let other = if first.is_uppercase() {
                first.to_lowercase().to_string()
            } else {
                first.to_uppercase().to_string()
            };
            self.find(&format!("{other}{rest}"))
        })
    }

    fn find(&self, word: &str) -> Option<Entry<'_>> {
        let at = self.words.binary_search_by(|known| self.spelling(known).cmp(word)).ok()?;
        let known = &self.words[at];
        if known.sounded == u16::MAX {
            return self.several.get(known.several as usize).map(Entry::Several);
        }
        let start = known.start as usize + usize::from(known.spelled);
        Some(Entry::One(&self.text[start..start + usize::from(known.sounded)]))
    }

    fn spelling(&self, word: &Word) -> &str {
        let start = word.start as usize;
        &self.text[start..start + usize::from(word.spelled)]
    }

    /// Words too long to be words are left out.
    fn add(&mut self, spelling: &str, written: Written) {
        let (Ok(start), Ok(spelled)) =
            (u32::try_from(self.text.len()), u16::try_from(spelling.len()))
        else {
            return;
        };
        let mut word = Word { start, spelled, sounded: u16::MAX, several: 0 };
        match written {
            Written::One(phonemes) => {
                let Some(sounded) = u16::try_from(phonemes.len()).ok().filter(|n| *n < u16::MAX)
                else {
                    return;
                };
                word.sounded = sounded;
                self.text.push_str(spelling);
                self.text.push_str(&phonemes);
            }
            Written::Several(variants) => {
                word.several = u32::try_from(self.several.len()).unwrap_or(u32::MAX);
                self.several.push(variants.into_iter().collect());
                self.text.push_str(spelling);
            }
        }
        self.words.push(word);
    }
}

impl<'de> Deserialize<'de> for Dictionary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Dictionary;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of words and phonemes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dictionary, A::Error> {
                let mut dictionary = Dictionary::default();
                while let Some((spelling, written)) = map.next_entry::<String, Written>()? {
                    dictionary.add(&spelling, written);
                }
                let mut words = std::mem::take(&mut dictionary.words);
                words.sort_by(|a, b| dictionary.spelling(a).cmp(dictionary.spelling(b)));
                dictionary.words = words;
                Ok(dictionary)
            }
        }

        deserializer.deserialize_map(Words)
    }
}
