//! What the voice says often, rendered before it is needed: an acknowledgement must sound at
//! once, while the cores are busy with the request itself.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use voice_pipeline::{ACKNOWLEDGEMENTS, CHECK_IN};

use crate::services::{ServiceError, Services, Speaking as _};

/// Sound by its words, at the server's rate. A client that changes its own waits for it.
#[derive(Debug)]
pub(crate) struct Phrases {
    speed: f32,
    /// Written once, by [`Phrases::render`]; a lock because sessions read meanwhile.
    sound: RwLock<HashMap<&'static str, Arc<[i16]>>>,
}

impl Phrases {
    pub(crate) fn new(speed: f32) -> Self {
        Self { speed, sound: RwLock::default() }
    }

    pub(crate) fn get(&self, text: &str, speed: f32) -> Option<Arc<[i16]>> {
        if speed != self.speed {
            return None;
        }
        self.sound.read().ok()?.get(text).cloned()
    }

    /// Renders what is missing.
    pub(crate) async fn render(&self, services: &impl Services) -> Result<(), ServiceError> {
        for text in ACKNOWLEDGEMENTS.into_iter().chain([CHECK_IN]) {
            if self.get(text, self.speed).is_some() {
                continue;
            }
            let mut speaking = services.speak(text.to_owned(), self.speed);
            let mut pcm = Vec::new();
            while let Some(piece) = speaking.next().await {
                pcm.extend(piece?);
            }
            if let Ok(mut sound) = self.sound.write() {
                sound.insert(text, pcm.into());
            }
        }
        Ok(())
    }
}
