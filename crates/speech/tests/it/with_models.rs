//! The four networks, with their real weights, on real recordings.
//!
//! The module's name is the filter: `cargo nextest run -E 'test(with_models)'`. The weights are where
//! `duet models fetch` puts them; without them these tests fail and say so. The recordings and where they come
//! from: `assets/audio/README.md`; nothing in them was spoken by the voice we ship.

mod ears;
mod voice;

use std::path::{Path, PathBuf};

use speech::text::{Token, utterances};
use speech::{Asr, AsrFiles, Cores, EAR_RATE};

/// Two, as on the smallest machine we mean to serve.
fn cores() -> Cores {
    Cores::new(2.try_into().unwrap())
}

fn models() -> PathBuf {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = set("DUET_MODELS")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("duet/models")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/duet/models")))
        .expect("DUET_MODELS names the directory of the model files");
    assert!(
        dir.join("whisper-base/model.bin").exists(),
        "the model files are missing in {}: run `duet models fetch`, or set DUET_MODELS",
        dir.display()
    );
    dir
}

fn asr() -> Asr {
    Asr::load(&AsrFiles::beneath(&models()), &cores()).unwrap()
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

/// A recording that came with its words.
struct Clip {
    name: String,
    samples: Vec<f32>,
    words: String,
}

/// People.
fn clips() -> Vec<Clip> {
    let folder = assets().join("audio");
    let transcripts = std::fs::read_to_string(folder.join("transcripts.tsv")).unwrap();
    transcripts
        .lines()
        .map(|line| {
            let (name, words) = line.split_once('\t').unwrap();
            Clip {
                name: name.to_owned(),
                samples: wav(&folder.join(name)),
                words: words.to_owned(),
            }
        })
        .collect()
}

/// Questions about code, by voices that we do not ship.
fn questions() -> Vec<Clip> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(assets().join("questions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .collect();
    files.sort();
    files.push(assets().join("demo/request.wav"));
    files
        .into_iter()
        .map(|file| Clip {
            name: file.file_name().unwrap().to_string_lossy().into_owned(),
            samples: wav(&file),
            words: std::fs::read_to_string(file.with_extension("txt"))
                .unwrap_or_else(|_| "Run the tests and tell me what fails.".to_owned()),
        })
        .collect()
}

fn wav(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (EAR_RATE, 1),
        "{}",
        path.display()
    );
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    audio_dsp::f32_from_pcm16(&samples)
}

fn silence(seconds: f32) -> Vec<f32> {
    vec![0.0; (seconds * EAR_RATE as f32) as usize]
}

/// White noise, the same every time.
fn noise(seconds: f32, amplitude: f32) -> Vec<f32> {
    let mut dice = stdx::Dice::new(1);
    let mut next = || dice.roll(1 << 16) as f32 / f32::from(1_u16 << 15) - 1.0;
    (0..(seconds * EAR_RATE as f32) as usize).map(|_| next() * amplitude).collect()
}

/// What is said, however it is written: "10 meters" and "ten meters" are the same words.
fn words(text: &str) -> Vec<String> {
    utterances(text)
        .into_iter()
        .flat_map(|utterance| utterance.said)
        .filter_map(|token| match token {
            Token::Word(word) => Some(word.to_lowercase()),
            Token::Pause(_) => None,
        })
        .map(|word| if word == "mr" { "mister".to_owned() } else { word })
        .collect()
}

/// Words heard wrongly, and words said.
#[derive(Default, Clone, Copy)]
struct Errors {
    wrong: usize,
    said: usize,
}

impl Errors {
    fn of(said: &str, heard: &str) -> Self {
        let (said, heard) = (words(said), words(heard));
        let mut row: Vec<usize> = (0..=heard.len()).collect();
        for (i, expected) in said.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for (j, word) in heard.iter().enumerate() {
                let replaced = diagonal + usize::from(expected != word);
                diagonal = row[j + 1];
                row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
            }
        }
        Self { wrong: row[heard.len()], said: said.len() }
    }

    fn add(&mut self, more: Self) {
        self.wrong += more.wrong;
        self.said += more.said;
    }

    fn percent(self) -> f32 {
        100.0 * self.wrong as f32 / self.said.max(1) as f32
    }
}
