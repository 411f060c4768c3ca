//! What the ear finds, and when nobody says anything.

use super::*;

impl Pipeline {
    pub(super) fn listen(&mut self) {
        while !self.ear.is_asking()
            && let Some(probability) = self.verdicts.pop_front()
        {
            let heard = self.ear.judge(probability);
            self.on_heard(heard);
            self.check_idle();
        }
    }

    pub(super) fn on_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Nothing => (),
            Heard::SpeechStarted { at } => {
                // Still there if detection was switched off in the middle of speech.
                let item = self.speech.take().unwrap_or_else(|| self.ids.item());
                self.speech = Some(item.clone());
                self.drop_draft();
                self.idle = Idle::Off;
                let is_over_reply = self.is_busy() || at < self.sounds_until;
                self.over_reply = is_over_reply.then_some(at);
                if is_over_reply {
                    // Somebody waits to know whether the reply goes on.
                    self.ear.hurry();
                }
                self.send(Event::SpeechStarted { audio_start_ms: millis(at), item });
                if self.turn_detection().is_some_and(|it| it.interrupt_response) {
                    self.fall_silent();
                    if let Some(running) = self.take_response(Self::is_default) {
                        self.stop(running, ResponseStatus::Cancelled(CancelReason::TurnDetected));
                    }
                }
            }
            Heard::Asking { pcm } => self.start(Job::CheckEndOfTurn { pcm }, Task::EndOfTurn),
            Heard::Complete { pcm } => self.begin_draft(&pcm),
            Heard::WentOn => self.drop_draft(),
            Heard::SpeechEnded { end, pcm } => {
                let Some(item) = self.speech.take() else {
                    never!("speech ended that never began");
                    return;
                };
                self.send(Event::SpeechStopped { audio_end_ms: millis(end), item: item.clone() });
                if self.answers_speech() {
                    self.unanswered.push(item.clone());
                }
                self.commit(item, pcm);
                self.go_on();
            }
        }
    }

    /// Whoever plays what we say has stopped.
    pub(super) fn fall_silent(&mut self) {
        self.sounds_until = self.sounds_until.min(self.ear.judged());
    }

    /// The sound becomes an item of the conversation. Never starts a response by itself.
    pub(super) fn commit(&mut self, id: ItemId, pcm: Arc<[i16]>) {
        let previous = self.conversation.last();
        self.send(Event::Committed { item: id.clone(), previous: previous.clone() });
        let part = Content::InputAudio { pcm: Arc::clone(&pcm), transcript: None };
        let item = Item {
            id: id.clone(),
            status: ItemStatus::Completed,
            body: ItemBody::Message { role: Role::User, content: vec![part] },
        };
        self.conversation.push(item.clone());
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item, previous });
        self.write_down_speech(id, &pcm);
    }

    pub(super) fn go_deaf(&mut self, message: String) {
        if self.deaf.is_some() {
            return;
        }
        self.deaf = Some(message.clone());
        self.verdicts.clear();
        self.send(Event::Refused { event_id: None, refusal: Refusal::Fault { message } });
        // What was said so far is not lost.
        let heard = self.ear.hang_up();
        self.on_heard(heard);
        self.ear.set_detector(None);
        self.cancel_jobs(|task| *task == Task::EndOfTurn);
        self.go_on();
    }

    /// The speech that is going on will not be ended by the ear.
    pub(super) fn forget_speech(&mut self) -> Option<ItemId> {
        self.cancel_jobs(|task| *task == Task::EndOfTurn);
        self.over_reply = None;
        self.drop_draft();
        self.speech.take()
    }

    fn check_idle(&mut self) {
        let (Some(limit), Idle::Since(since)) = (self.ear.idle_after(), self.idle) else { return };
        let now = self.ear.judged();
        let busy = self.ear.is_speech() || self.is_busy() || !self.unanswered.is_empty();
        if busy || now < since.saturating_add(limit) || !self.answers_speech() {
            return;
        }
        let item = self.ids.item();
        self.send(Event::TimeoutTriggered {
            audio_start_ms: millis(since),
            audio_end_ms: millis(now),
            item: item.clone(),
        });
        let previous = self.conversation.last();
        self.send(Event::Committed { item: item.clone(), previous: previous.clone() });
        let part =
            Content::InputAudio { pcm: self.ear.copy(since..now), transcript: Some(String::new()) };
        let body = ItemBody::Message { role: Role::User, content: vec![part] };
        let item = Item { id: item, status: ItemStatus::Completed, body };
        self.conversation.push(item.clone());
        self.mark_handled(std::slice::from_ref(&item.id));
        self.send(Event::ItemAdded { item: item.clone(), previous: previous.clone() });
        self.send(Event::ItemDone { item, previous });
        let terms = Terms::new(&self.settings, ResponseRequest::default());
        let running = self.open(terms);
        self.idle = Idle::Asked;
        self.make(running, Making::saying(vec![CHECK_IN.to_owned()], SoundNeed::Needed));
    }
}
