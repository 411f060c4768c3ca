//! Computed states of prompt prefixes, on disk, so that a fresh host starts where the last
//! one was.
//!
//! Each state is a pair of files: `NAME.kv` as llama.cpp writes it and `NAME.json`, which says
//! what it holds and makes it count. A state that is incomplete, foreign or damaged does not
//! exist. Failures to write are no failures of the request.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Instructions and tools differ by repository and version; a state is some 30 MB.
const MAX_STATES: usize = 8;
const MAX_BYTES: u64 = 512 << 20;
/// As many tokens as the longest context.
const MAX_NOTE: u64 = 256 << 10;
/// A state is written within seconds: what is unfinished for so long was left by a host that
/// ended in the middle.
const ABANDONED: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone)]
pub(crate) struct PrefixCache {
    dir: PathBuf,
    /// What states are of no use to another model or context.
    model: String,
}

/// The best state for a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) file: PathBuf,
    /// How many of the prompt's first tokens it holds.
    pub(crate) common: usize,
}

#[derive(Serialize, Deserialize)]
struct Note {
    model: String,
    tokens: Vec<i32>,
    bytes: u64,
    sha256: String,
}

impl PrefixCache {
    /// `model` names the weights, see [`fingerprint`].
    pub(crate) fn new(dir: PathBuf, model: String) -> Self {
        Self { dir, model }
    }

    /// The state that begins like `prompt` for longest, if its file is whole.
    pub(crate) fn longest(&self, prompt: &[i32]) -> Option<Kept> {
        let best = self
            .notes()
            .into_iter()
            .filter(|(_, note)| note.model == self.model)
            .map(|(path, note)| (common(&note.tokens, prompt), path, note))
            .max_by_key(|(common, ..)| *common)?;
        let (common, path, note) = best;
        let file = path.with_extension("kv");
        if common == 0 {
            return None;
        }
        if digest(&file, note.bytes).ok().as_ref() != Some(&note.sha256) {
            remove(&path);
            return None;
        }
        // Only for the order in which states are given up.
        let touched = File::options().append(true).open(&path);
        if let Ok(touched) = touched {
            drop(touched.set_modified(SystemTime::now()));
        }
        Some(Kept { file, common })
    }

    /// Keeps the state of `tokens` that `save` writes to the file it is given.
    pub(crate) fn keep(&self, tokens: Vec<i32>, save: impl FnOnce(&Path) -> bool) {
        // Without this state the next host computes it again: nobody needs to hear of it.
        drop(self.try_keep(tokens, save));
    }

    fn try_keep(&self, tokens: Vec<i32>, save: impl FnOnce(&Path) -> bool) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let path = self.dir.join(format!("{}.json", self.name(&tokens)));
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        let saved = save(&unfinished);
        let kept = if saved { self.commit(tokens, &unfinished, &path) } else { Ok(()) };
        if unfinished.exists() {
            fs::remove_file(&unfinished)?;
        }
        // What others left may be why there was no room.
        self.sweep();
        kept?;
        self.evict();
        Ok(())
    }

    fn commit(&self, tokens: Vec<i32>, unfinished: &Path, path: &Path) -> io::Result<()> {
        let bytes = fs::metadata(unfinished)?.len();
        let sha256 = digest(unfinished, bytes)?;
        let note = Note { model: self.model.clone(), tokens, bytes, sha256 };
        let text = serde_json::to_vec(&note)?;
        fs::rename(unfinished, path.with_extension("kv"))?;
        fs::write(unfinished, text)?;
        fs::rename(unfinished, path)
    }

    fn name(&self, tokens: &[i32]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.model.as_bytes());
        tokens.iter().for_each(|it| hash.update(it.to_le_bytes()));
        hex(&hash.finalize()[..12])
    }

    fn notes(&self) -> Vec<(PathBuf, Note)> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let paths = entries.filter_map(|it| Some(it.ok()?.path()));
        paths
            .filter(|it| it.extension().is_some_and(|it| it == "json"))
            .filter_map(|path| {
                let mut text = Vec::new();
                File::open(&path).ok()?.take(MAX_NOTE).read_to_end(&mut text).ok()?;
                Some((path, serde_json::from_slice(&text).ok()?))
            })
            .collect()
    }

    /// Removes what no note speaks of: of these, nothing else knows.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for path in entries.filter_map(|it| Some(it.ok()?.path())) {
            let ours = match path.extension().and_then(|it| it.to_str()) {
                Some("tmp") => true,
                Some("kv") => !path.with_extension("json").exists(),
                Some(_) | None => false,
            };
            let age = || fs::metadata(&path).ok()?.modified().ok()?.elapsed().ok();
            if ours && age().is_some_and(|age| age > ABANDONED) {
                // Another host may have been faster.
                drop(fs::remove_file(&path));
            }
        }
    }

    /// Gives up those that were not used for longest.
    fn evict(&self) {
        let mut notes: Vec<(SystemTime, PathBuf, u64)> = self
            .notes()
            .into_iter()
            .filter_map(|(path, note)| {
                Some((fs::metadata(&path).ok()?.modified().ok()?, path, note.bytes))
            })
            .collect();
        notes.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (at, (_, path, size)) in notes.iter().enumerate() {
            bytes += size;
            if at >= MAX_STATES || bytes > MAX_BYTES {
                remove(path);
            }
        }
    }
}

/// Names a file of weights without reading a gigabyte: its size and both its ends, of which
/// the first holds everything but the weights.
pub(crate) fn fingerprint(file: &Path) -> io::Result<String> {
    const END: u64 = 1 << 20;
    let mut weights = File::open(file)?;
    let bytes = weights.metadata()?.len();
    let mut hash = Sha256::new();
    hash.update(bytes.to_le_bytes());
    for from in [0, bytes.saturating_sub(END)] {
        weights.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        Read::by_ref(&mut weights).take(END).read_to_end(&mut end)?;
        hash.update(&end);
    }
    Ok(hex(&hash.finalize()))
}

/// Note first: without it the state is not seen, and a half removed one would be.
fn remove(note: &Path) {
    for file in [note.to_owned(), note.with_extension("kv")] {
        // Another host may have been faster.
        drop(fs::remove_file(file));
    }
}

fn digest(file: &Path, bytes: u64) -> io::Result<String> {
    let mut file = File::open(file)?;
    if file.metadata()?.len() != bytes {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let size = file.read(&mut buffer)?;
        if size == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..size]);
    }
}

fn common(a: &[i32], b: &[i32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_left_unfinished_is_removed_after_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let cache = PrefixCache::new(dir.path().to_owned(), "model".to_owned());
        let save = |path: &Path| fs::write(path, "state").is_ok();
        cache.keep(vec![1, 2], save);
        let (old, young) = (SystemTime::now() - 2 * ABANDONED, SystemTime::now());
        for (name, at) in [
            ("a.77.tmp", old),
            ("b.kv", old),
            ("c.78.tmp", young),
            ("d.kv", young),
            ("notes.txt", old),
        ] {
            File::create(dir.path().join(name)).unwrap().set_modified(at).unwrap();
        }
        let ours = cache.longest(&[1, 2]).unwrap();
        File::options().append(true).open(&ours.file).unwrap().set_modified(old).unwrap();

        cache.keep(vec![3, 4], save);
        for (name, there) in [
            ("a.77.tmp", false),
            ("b.kv", false),
            ("c.78.tmp", true),
            ("d.kv", true),
            ("notes.txt", true),
        ] {
            assert_eq!(dir.path().join(name).exists(), there, "{name}");
        }
        assert_eq!(cache.longest(&[1, 2]), Some(ours), "an old state with its note stays");
        assert!(cache.longest(&[3, 4]).is_some());
    }
}
