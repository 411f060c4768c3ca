//! What is said while work goes on: for whom it is, and what is answered here.

use super::*;

impl Pipeline {
    /// For whom these words are; `None` until that is known.
    pub(super) fn route(&mut self, words: String) -> Option<Route> {
        match &self.routing {
            Routing::Known { words: asked, route } if *asked == words => return Some(*route),
            Routing::Asked { words: asked } if *asked == words => return None,
            // More was said since.
            Routing::Known { .. } | Routing::Asked { .. } | Routing::Unasked => {}
        }
        self.stop_routing();
        self.routing = Routing::Asked { words: words.clone() };
        self.start(Job::Route { words }, Task::Route);
        None
    }

    pub(super) fn on_routed(&mut self, route: Route) {
        match std::mem::take(&mut self.routing) {
            Routing::Asked { words } => self.routing = Routing::Known { words, route },
            Routing::Unasked | Routing::Known { .. } => never!("an answer that nobody asked for"),
        }
        self.go_on();
    }

    pub(super) fn stop_routing(&mut self) {
        self.cancel_jobs(|task| *task == Task::Route);
        self.routing = Routing::Unasked;
    }

    /// What is answered here; `None` for what is not ours to answer.
    pub(super) fn meanwhile(&self, route: Route) -> Option<String> {
        match route {
            Route::Work => None,
            Route::Status => Some(self.work.status(self.ear.judged())),
            Route::Repeat => self.last_words(),
        }
    }

    /// What we said last, as far as it was heard. An acknowledgement counts only where nothing
    /// else was said: nobody wants that again.
    fn last_words(&self) -> Option<String> {
        let said = || {
            let items =
                self.conversation.items().rev().filter(|it| {
                    matches!(it.body, ItemBody::Message { role: Role::Assistant, .. })
                });
            items.map(Item::text).filter(|it| !it.trim().is_empty())
        };
        said().find(|it| !ACKNOWLEDGEMENTS.contains(&it.as_str())).or_else(|| said().next())
    }

    pub(super) fn answer_meanwhile(
        &mut self,
        mut running: Running,
        asked: Vec<ItemId>,
        answer: String,
    ) {
        running.usage.input_text += tokens(&self.words_of(&asked));
        running.usage.input_audio += self.sound_of(&asked);
        self.mark_handled(&asked);
        // Who speaks on before anything is heard has not finished asking.
        running.owed = asked;
        let said = match running.terms.modality {
            Modality::Audio => sentences(&answer).into_iter().map(str::to_owned).collect(),
            Modality::Text => vec![answer],
        };
        self.make(running, Making::saying(said, SoundNeed::Needed));
    }
}
