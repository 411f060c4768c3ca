//! What the client asks for, and what it is refused.

use super::*;

impl Pipeline {
    pub(super) fn on_client(&mut self, event: ClientEvent) -> Result<(), Refusal> {
        match event {
            ClientEvent::Configure(settings) => self.configure(*settings),
            ClientEvent::CommitAudio => self.commit_by_client()?,
            ClientEvent::ClearAudio => self.clear_audio(),
            ClientEvent::CreateItem { item, place } => self.create_item(item, &place)?,
            ClientEvent::RetrieveItem { item } => self.retrieve(item)?,
            ClientEvent::TruncateItem { item, content_index, audio_end_ms } => {
                self.truncate(item, content_index, audio_end_ms)?;
            }
            ClientEvent::DeleteItem { item } => self.delete(item)?,
            ClientEvent::CreateResponse(request) => self.respond_to_client(*request)?,
            ClientEvent::CancelResponse { response } => {
                let running = match response {
                    Some(id) => self.take_response(|it| it.id == id),
                    None => self.take_response(Self::is_default),
                };
                let Some(running) = running else { return Err(Refusal::NothingToCancel) };
                self.fall_silent();
                self.stop(running, ResponseStatus::Cancelled(CancelReason::ClientCancelled));
            }
            ClientEvent::ClearOutputAudio => return Err(Refusal::NoOutputBuffer),
        }
        Ok(())
    }

    fn configure(&mut self, settings: Settings) {
        let detector = settings.turn_detection.map(|it| it.detector);
        self.settings = settings;
        self.send(Event::Configured);
        if self.deaf.is_none() {
            self.ear.set_detector(detector);
        }
        if !self.ear.is_asking() {
            self.cancel_jobs(|task| *task == Task::EndOfTurn);
        }
        self.listen();
        self.go_on();
    }

    fn commit_by_client(&mut self) -> Result<(), Refusal> {
        if self.ear.waiting() < LEAST_COMMIT {
            return Err(Refusal::CommitEmpty { ms: millis(self.ear.waiting()) });
        }
        self.check_dictations()?;
        let pcm = self.ear.take();
        let item = match self.forget_speech() {
            // It was announced as speech, so it is closed as speech.
            Some(item) => {
                let audio_end_ms = millis(self.ear.received());
                self.send(Event::SpeechStopped { audio_end_ms, item: item.clone() });
                item
            }
            None => self.ids.item(),
        };
        self.commit(item, pcm);
        self.listen();
        self.go_on();
        Ok(())
    }

    fn clear_audio(&mut self) {
        drop(self.ear.take());
        self.forget_speech();
        self.send(Event::Cleared);
        self.listen();
        self.go_on();
    }

    fn create_item(&mut self, new: NewItem, place: &Place) -> Result<(), Refusal> {
        if let Some(id) = &new.id
            && self.is_known(id)
        {
            return Err(Refusal::DuplicateItem { item: id.clone() });
        }
        if new.body.has_image() {
            return Err(Refusal::NoImages);
        }
        if !self.conversation.has_room_for(&new.body) {
            return Err(Refusal::ConversationFull { items: MOST_ITEMS, bytes: MOST_TEXT });
        }
        if new.body.unwritten().is_some() {
            self.check_dictations()?;
        }
        let item = self.new_item(new);
        let id = item.id.clone();
        if !self.conversation.insert(item.clone(), place) {
            let previous = match place {
                Place::After(previous) => previous.clone(),
                Place::End | Place::Root => id,
            };
            return Err(Refusal::UnknownPrevious { item: previous });
        }
        match &item.body {
            ItemBody::FunctionCallOutput { call, output: _ } => self.work.ends(call),
            ItemBody::Message { .. } => {
                if let Some(news) = progress(&item.text()) {
                    self.work.is_told_of(news);
                }
            }
            ItemBody::FunctionCall(_) => (),
        }
        let previous = self.conversation.previous(&id);
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item: item.clone(), previous });
        if let Some(pcm) = item.body.unwritten() {
            self.write_down(id, pcm);
        }
        Ok(())
    }

    fn check_dictations(&self) -> Result<(), Refusal> {
        match self.writing_down.len() < MOST_DICTATIONS {
            true => Ok(()),
            false => Err(Refusal::TooManyDictations { most: MOST_DICTATIONS }),
        }
    }

    fn retrieve(&mut self, id: ItemId) -> Result<(), Refusal> {
        let growing = self.responses.iter().find_map(|it| {
            let message = it.message.as_ref().filter(|message| message.item == id)?;
            Some(message.to_item(it.terms.modality, ItemStatus::InProgress))
        });
        let Some(item) = growing.or_else(|| self.conversation.get(&id).cloned()) else {
            return Err(Refusal::RetrieveUnknown { item: id });
        };
        self.send(Event::ItemRetrieved { item });
        Ok(())
    }

    fn truncate(&mut self, id: ItemId, index: u32, audio_end_ms: u64) -> Result<(), Refusal> {
        let samples = usize::try_from(audio_end_ms.saturating_mul(u64::from(DUET_HZ) / 1_000));
        let samples = samples.unwrap_or(usize::MAX);
        let message = self.responses.iter_mut().filter(|it| it.terms.modality == Modality::Audio);
        let growing =
            message.filter_map(|it| it.message.as_mut()).find(|message| message.item == id);
        let len = match (&growing, self.conversation.entry_mut(&id)) {
            (Some(message), _) => message.pcm.len(),
            (None, None) => return Err(Refusal::TruncateUnknown { item: id }),
            (None, Some(entry)) => match &entry.item.body {
                ItemBody::Message { content, .. } => match content.get(index as usize) {
                    // Sound that is no longer kept still had its length.
                    Some(Content::OutputAudio { .. }) => {
                        entry.said.iter().map(|it| it.samples).sum()
                    }
                    Some(
                        Content::InputText { .. }
                        | Content::InputAudio { .. }
                        | Content::InputImage { .. }
                        | Content::OutputText { .. },
                    )
                    | None => return Err(Refusal::TruncateSilent { item: id }),
                },
                ItemBody::FunctionCall(_) | ItemBody::FunctionCallOutput { .. } => {
                    return Err(Refusal::TruncateSilent { item: id });
                }
            },
        };
        if index != 0 {
            return Err(Refusal::TruncateSilent { item: id });
        }
        if len < samples {
            return Err(Refusal::TruncateTooLong { item: id, audio_ms: millis(len as u64) });
        }
        match growing {
            Some(message) => message.heard = Some(samples),
            None => {
                if let Some(entry) = self.conversation.entry_mut(&id) {
                    entry.truncate(samples);
                }
            }
        }
        self.fall_silent();
        self.send(Event::ItemTruncated { item: id, content_index: index, audio_end_ms });
        Ok(())
    }

    fn delete(&mut self, id: ItemId) -> Result<(), Refusal> {
        let growing = |it: &Running| it.message.as_ref().is_some_and(|message| message.item == id);
        if self.responses.iter().any(growing) {
            return Err(Refusal::DeleteGrowing { item: id });
        }
        match self.conversation.remove(&id).map(|it| it.body) {
            None => return Err(Refusal::DeleteUnknown { item: id }),
            // Nobody will hear of it again.
            Some(ItemBody::FunctionCall(FunctionCall { call, .. })) => self.work.ends(&call),
            Some(ItemBody::Message { .. } | ItemBody::FunctionCallOutput { .. }) => (),
        }
        self.unanswered.retain(|it| *it != id);
        self.writing_down.remove(&id);
        self.cancel_jobs(|task| *task == Task::Transcribe(id.clone()));
        self.send(Event::ItemDeleted { item: id });
        self.go_on();
        Ok(())
    }
}
