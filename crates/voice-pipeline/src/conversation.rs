//! The items of one conversation, in their order.

use std::sync::Arc;

use protocol::ItemId;

use crate::for_the_ear::progress;
use crate::item::{Content, Item, ItemBody, ItemStatus, Place, Role};

/// Sound that is kept for `conversation.item.retrieved`, of all items together: half a minute,
/// 1.4 MB. Older sound is forgotten, its words stay.
const KEPT_SAMPLES: usize = 30 * audio_dsp::DUET_HZ as usize;

/// What clients may put into a conversation: more than any model reads, and little memory.
/// What is spoken comes at the pace of speech, and has its own bounds.
pub(crate) const MOST_ITEMS: usize = 4_096;
pub(crate) const MOST_TEXT: usize = 16 * 1024 * 1024;

/// News of running work that is kept. A client tells every step, and only the newest counts.
const KEPT_NEWS: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Conversation {
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) item: Item,
    /// A response has dealt with it; only told of user messages and function outputs.
    pub(crate) handled: bool,
    /// What was said when, of the assistant's sound.
    pub(crate) said: Vec<Said>,
}

/// Words, and the sound that says them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) samples: usize,
}

impl Conversation {
    pub(crate) fn last(&self) -> Option<ItemId> {
        self.entries.last().map(|it| it.item.id.clone())
    }

    pub(crate) fn items(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.entries.iter().map(|it| &it.item)
    }

    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn entries_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(crate) fn get(&self, id: &ItemId) -> Option<&Item> {
        self.items().find(|it| it.id == *id)
    }

    pub(crate) fn entry_mut(&mut self, id: &ItemId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|it| it.item.id == *id)
    }

    /// The item before this one now.
    pub(crate) fn previous(&self, id: &ItemId) -> Option<ItemId> {
        let at = self.entries.iter().position(|it| it.item.id == *id)?;
        at.checked_sub(1).map(|at| self.entries[at].item.id.clone())
    }

    /// Whether one more of a client's items fits.
    pub(crate) fn has_room_for(&self, item: &ItemBody) -> bool {
        let text: usize = self.items().map(|it| it.body.text_bytes()).sum();
        self.entries.len() < MOST_ITEMS && text + item.text_bytes() <= MOST_TEXT
    }

    /// False when the place is unknown; then nothing was added.
    pub(crate) fn insert(&mut self, item: Item, place: &Place) -> bool {
        let at = match place {
            Place::End => self.entries.len(),
            Place::Root => 0,
            Place::After(id) => match self.entries.iter().position(|it| it.item.id == *id) {
                Some(at) => at + 1,
                None => return false,
            },
        };
        self.entries.insert(at, Entry { item, handled: false, said: Vec::new() });
        self.forget_old_sound();
        self.forget_old_news();
        true
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.insert(item, &Place::End);
    }

    /// The item is finished; if it was deleted meanwhile, it stays so.
    pub(crate) fn finish(&mut self, item: Item, said: Vec<Said>) {
        if let Some(entry) = self.entry_mut(&item.id) {
            entry.item = item;
            entry.said = said;
        }
        self.forget_old_sound();
    }

    pub(crate) fn remove(&mut self, id: &ItemId) -> Option<Item> {
        let at = self.entries.iter().position(|it| it.item.id == *id)?;
        Some(self.entries.remove(at).item)
    }

    /// Of hours of work there would be no room for anything else.
    fn forget_old_news(&mut self) {
        let is_news = |it: &Entry| progress(&it.item.text()).is_some();
        let count = self.entries.iter().filter(|it| is_news(it)).count();
        let mut old = count.saturating_sub(KEPT_NEWS);
        self.entries.retain(|it| {
            let goes = 0 < old && is_news(it);
            old -= usize::from(goes);
            !goes
        });
    }

    fn forget_old_sound(&mut self) {
        let mut kept = 0;
        for entry in self.entries.iter_mut().rev() {
            let samples = entry.item.samples();
            // The newest is kept however long it is, and nothing that is older than what was forgotten.
            let fits = kept == 0 || kept + samples <= KEPT_SAMPLES;
            kept += samples;
            if samples == 0 || fits {
                continue;
            }
            let ItemBody::Message { content, .. } = &mut entry.item.body else { continue };
            for part in content {
                match part {
                    Content::InputAudio { pcm, .. } | Content::OutputAudio { pcm, .. } => {
                        *pcm = Arc::default();
                    }
                    Content::InputText { .. }
                    | Content::InputImage { .. }
                    | Content::OutputText { .. } => (),
                }
            }
        }
    }
}

impl Entry {
    /// Keeps what was heard: `samples` of the sound, and the words that fit into it.
    pub(crate) fn truncate(&mut self, samples: usize) {
        let heard = heard(&self.said, samples);
        let ItemBody::Message { content, .. } = &mut self.item.body else { return };
        for part in content {
            match part {
                Content::OutputAudio { pcm, transcript } => {
                    *transcript = heard.iter().map(|it| it.text.as_str()).collect();
                    *pcm = pcm.get(..samples).map(Arc::from).unwrap_or_default();
                }
                Content::InputText { .. }
                | Content::InputAudio { .. }
                | Content::InputImage { .. }
                | Content::OutputText { .. } => (),
            }
        }
        self.said = heard;
    }

    /// Whether a response still has to answer it: a request of the user, or a result.
    pub(crate) fn waits(&self) -> bool {
        let kind = match &self.item.body {
            ItemBody::Message { role, .. } => *role == Role::User,
            ItemBody::FunctionCallOutput { .. } => true,
            ItemBody::FunctionCall(_) => false,
        };
        kind && !self.handled && self.item.status != ItemStatus::InProgress
    }
}

/// The head of what was said, up to this sample. A sentence that was cut keeps as many of its
/// words as the part of it that sounded.
fn heard(said: &[Said], samples: usize) -> Vec<Said> {
    let mut left = samples;
    let mut heard = Vec::new();
    for sentence in said {
        if sentence.samples <= left {
            left -= sentence.samples;
            heard.push(sentence.clone());
            continue;
        }
        let words: Vec<&str> = sentence.text.split_inclusive(' ').collect();
        let count = words.len() * left / sentence.samples.max(1);
        let text = words[..count].concat().trim_end().to_owned();
        if !text.is_empty() {
            heard.push(Said { text, samples: left });
        }
        break;
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_sentence_keeps_the_words_that_sounded() {
        let said = [
            Said { text: "One two.".to_owned(), samples: 100 },
            Said { text: " Three four five six.".to_owned(), samples: 200 },
        ];
        let words =
            |samples| heard(&said, samples).iter().map(|it| it.text.clone()).collect::<String>();
        assert_eq!(words(0), "");
        assert_eq!(words(50), "One");
        assert_eq!(words(100), "One two.");
        assert_eq!(words(220), "One two. Three four");
        assert_eq!(words(300), "One two. Three four five six.");
        assert_eq!(words(9_999), "One two. Three four five six.");
    }

    #[test]
    fn only_the_newest_news_is_kept() {
        let mut conversation = Conversation::default();
        let mut say = |id: &str, text: String| {
            conversation.push(Item {
                id: ItemId::new(id),
                status: ItemStatus::Completed,
                body: ItemBody::Message {
                    role: Role::User,
                    content: vec![Content::InputText { text }],
                },
            });
        };
        say("request", "Run the tests.".to_owned());
        for n in 0..20 {
            say(&format!("{n}"), format!("{}Step {n}.", protocol::labels::PROGRESS));
        }
        let kept: Vec<&str> = conversation.items().map(|it| it.id.as_str()).collect();
        assert_eq!(kept, ["request", "12", "13", "14", "15", "16", "17", "18", "19"]);
    }

    #[test]
    fn sound_of_long_ago_is_forgotten_and_its_words_are_not() {
        let mut conversation = Conversation::default();
        let quarter = || {
            let pcm: Arc<[i16]> = vec![1; 15 * audio_dsp::DUET_HZ as usize].into();
            Content::InputAudio { pcm, transcript: Some("words".to_owned()) }
        };
        for n in 0..12 {
            conversation.push(Item {
                id: ItemId::new(format!("{n}")),
                status: ItemStatus::Completed,
                body: ItemBody::Message { role: Role::User, content: vec![quarter()] },
            });
        }
        let kept: Vec<bool> = conversation.items().map(|it| 0 < it.samples()).collect();
        assert_eq!(kept.iter().filter(|it| **it).count(), 2);
        assert!(!kept[9] && kept[10] && kept[11]);
        assert!(conversation.items().all(|it| it.text() == "words"));

        // The newest is there however long it was.
        let pcm: Arc<[i16]> = vec![1; 2 * KEPT_SAMPLES].into();
        conversation.push(Item {
            id: ItemId::new("long"),
            status: ItemStatus::Completed,
            body: ItemBody::Message {
                role: Role::User,
                content: vec![Content::InputAudio { pcm, transcript: None }],
            },
        });
        let kept: Vec<&str> =
            conversation.items().filter(|it| 0 < it.samples()).map(|it| it.id.as_str()).collect();
        assert_eq!(kept, ["long"]);
    }
}
