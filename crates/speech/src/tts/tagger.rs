//! Parts of speech, in Penn Treebank's tags: "record" the noun sounds otherwise than "record" the verb.
//!
//! An averaged perceptron: a word that has one tag nearly always is looked up; for the others, the features
//! of the word and its neighbours each vote for tags, and the most votes win. The features are those the
//! weights were trained with.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use crate::error::LoadError;
use crate::tts::lexicon::read_json;

#[derive(Debug, Deserialize)]
pub(super) struct Tagger {
    tags: Vec<String>,
    /// Words with one tag.
    tagdict: HashMap<String, String>,
    /// Words that are features by themselves; the others count by their shape.
    vocab: HashSet<String>,
    weights: Weights,
}

impl Tagger {
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let tagger: Self = read_json(path)?;
        if tagger.tags.is_empty() {
            return Err(LoadError::unsuitable(path, "it knows no tags"));
        }
        Ok(tagger)
    }

    /// A tag for each of `words` (punctuation counts as a word; none is empty).
    pub(super) fn tag<'a>(&'a self, words: &[&str]) -> Vec<&'a str> {
        let known: Vec<String> = words.iter().map(|word| self.known(word)).collect();
        let at = |i: isize| match i {
            -2 => "-START2-",
            -1 => "-START-",
            _ => match usize::try_from(i).ok().and_then(|i| known.get(i)) {
                Some(word) => word,
                None if i == known.len() as isize => "-END-",
                None => "-END2-",
            },
        };
        let (mut last, mut before_last) = ("-START-", "-START2-");
        let mut tags = Vec::with_capacity(words.len());
        for (word, i) in words.iter().zip(0isize..) {
            let tag = match self.tagdict.get(*word) {
                Some(tag) => tag.as_str(),
                None => self.vote([
                    "b".to_owned(),
                    format!("s3={}", suffix(word)),
                    format!("p1={}", word.chars().next().unwrap_or_default()),
                    format!("w={}", at(i)),
                    format!("sh={}", shape(word)),
                    if i == 0 { "i0".to_owned() } else { "i+".to_owned() },
                    format!("t-1={last}"),
                    format!("t-2={before_last}"),
                    format!("t-12={last},{before_last}"),
                    format!("w-1={}", at(i - 1)),
                    format!("s3-1={}", suffix(at(i - 1))),
                    format!("w-2={}", at(i - 2)),
                    format!("w+1={}", at(i + 1)),
                    format!("s3+1={}", suffix(at(i + 1))),
                    format!("w+2={}", at(i + 2)),
                ]),
            };
            tags.push(tag);
            (before_last, last) = (last, tag);
        }
        tags
    }

    fn vote(&self, features: [String; 15]) -> &str {
        let mut votes = vec![0.0_f32; self.tags.len()];
        let mut any = false;
        for (tag, weight) in
            features.iter().filter_map(|feature| self.weights.of(feature)).flatten()
        {
            let tag = &self.weights.tags[usize::from(*tag)];
            if let Some(at) = self.tags.iter().position(|known| known == tag) {
                votes[at] += weight;
                any = true;
            }
        }
        let most = votes
            .iter()
            .zip(&self.tags)
            .max_by(|(a, a_tag), (b, b_tag)| a.total_cmp(b).then_with(|| a_tag.cmp(b_tag)));
        match most {
            Some((_, tag)) if any => tag,
            Some(_) | None => "NN",
        }
    }

    fn known(&self, word: &str) -> String {
        let first = word.chars().next().unwrap_or_default();
        let normal = if word.contains('-') && first != '-' {
            "!HYPHEN".to_owned()
        } else if first.is_ascii_digit() {
            let year = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
            if year { "!YEAR" } else { "!DIGITS" }.to_owned()
        } else {
            word.to_lowercase()
        };
        if self.vocab.contains(&normal) { normal } else { format!("<{}>", shape(word)) }
    }
}

/// The last three characters.
fn suffix(word: &str) -> &str {
    let start = word.char_indices().rev().nth(2).map_or(0, |(at, _)| at);
    &word[start..]
}

fn shape(word: &str) -> String {
    let lower = |text: &str| text.chars().all(char::is_lowercase);
    if word.chars().all(char::is_alphabetic) {
        let first = word.chars().next().map_or(0, char::len_utf8);
        let (head, tail) = word.split_at(first);
        let shape = match () {
            () if lower(word) => "x",
            () if word.chars().all(char::is_uppercase) && tail.is_empty() => "X1",
            () if word.chars().all(char::is_uppercase) => "XX",
            () if !lower(head) && lower(tail) => "Xx",
            () => "xX",
        };
        return shape.to_owned();
    }
    if word.chars().all(|c| c.is_ascii_digit()) {
        return "d".to_owned();
    }
    word.chars()
        .take(4)
        .map(|c| match c {
            _ if c.is_ascii_digit() => 'd',
            _ if c.is_alphabetic() => 'x',
            _ => c,
        })
        .collect()
}

/// The votes of each feature, side by side in one list.
#[derive(Debug, Default)]
struct Weights {
    tags: Vec<String>,
    votes: Vec<(u8, f32)>,
    features: HashMap<Box<str>, (u32, u32)>,
}

impl Weights {
    fn of(&self, feature: &str) -> Option<&[(u8, f32)]> {
        let (start, end) = *self.features.get(feature)?;
        Some(&self.votes[start as usize..end as usize])
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Features;

        impl<'de> Visitor<'de> for Features {
            type Value = Weights;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of features and their votes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weights, A::Error> {
                let mut weights = Weights::default();
                while let Some(feature) = map.next_key::<Box<str>>()? {
                    let start = weights.votes.len() as u32;
                    map.next_value_seed(Votes(&mut weights))?;
                    weights.features.insert(feature, (start, weights.votes.len() as u32));
                }
                Ok(weights)
            }
        }

        /// The votes of one feature, added to the list.
        struct Votes<'a>(&'a mut Weights);

        impl<'de> DeserializeSeed<'de> for Votes<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        impl<'de> Visitor<'de> for Votes<'_> {
            type Value = ();

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tags and votes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                while let Some((tag, vote)) = map.next_entry::<String, f32>()? {
                    let known = self.0.tags.iter().position(|known| *known == tag);
                    let at = known.unwrap_or_else(|| {
                        self.0.tags.push(tag);
                        self.0.tags.len() - 1
                    });
                    // A file with more tags than a byte can number is not this tagger.
                    let at = u8::try_from(at).map_err(serde::de::Error::custom)?;
                    self.0.votes.push((at, vote));
                }
                Ok(())
            }
        }

        deserializer.deserialize_map(Features)
    }
}
