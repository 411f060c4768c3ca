//! How responses go on and end: items, parts and deltas in the protocol's order.

use super::*;

impl Pipeline {
    pub(super) fn make(&mut self, mut running: Running, making: Making) {
        running.phase = Phase::Making(making);
        self.advance(running);
    }

    /// Does what can be done now, up to the end if nothing has to be waited for.
    pub(super) fn advance(&mut self, mut running: Running) {
        while let Phase::Making(making) = &mut running.phase {
            if making.speaking {
                break;
            }
            if let Some(sentence) = making.sentences.pop_front() {
                self.say(&mut running, sentence);
                continue;
            }
            if making.writer.is_some() {
                break;
            }
            let ending = making.ending.clone();
            if running.message.is_some() {
                let status = match ending {
                    ResponseStatus::Completed | ResponseStatus::InProgress => ItemStatus::Completed,
                    ResponseStatus::Cancelled(_)
                    | ResponseStatus::OutOfTokens
                    | ResponseStatus::Failed { .. } => ItemStatus::Incomplete,
                };
                self.close_message(&mut running, status);
                continue;
            }
            if let Some(call) = making.calls.pop_front() {
                self.call(&mut running, call);
                continue;
            }
            return self.finish(running, ending);
        }
        self.responses.push(running);
    }

    /// A sentence to be heard, or the next words to be read.
    fn say(&mut self, running: &mut Running, sentence: String) {
        let message = self.message(running);
        let piece = match message.text.is_empty() {
            true => sentence.clone(),
            false => format!(" {sentence}"),
        };
        self.put(running, piece);
        match running.terms.modality {
            Modality::Text => (),
            Modality::Audio => {
                let job = Job::Speak { text: sentence, speed: running.terms.speed };
                self.start(job, Task::Speak(running.id.clone()));
                if let Phase::Making(making) = &mut running.phase {
                    making.speaking = true;
                }
            }
        }
    }

    /// Text of the message that is being made.
    pub(super) fn put(&mut self, running: &mut Running, piece: String) {
        running.usage.output_text += tokens(&piece);
        let message = self.message(running);
        message.text.push_str(&piece);
        message.said.push(Said { text: piece.clone(), samples: 0 });
        let item = message.item.clone();
        let at = running.part(&item);
        self.send(match running.terms.modality {
            Modality::Text => Event::TextDelta { at, delta: piece },
            Modality::Audio => Event::TranscriptDelta { at, delta: piece },
        });
    }

    /// The message that is being made; announces it if there is none.
    fn message<'a>(&mut self, running: &'a mut Running) -> &'a mut Message {
        let message = match running.message.take() {
            Some(message) => message,
            None => {
                let message = Message::new(self.ids.item());
                self.announce(running, message.announced());
                let part = match running.terms.modality {
                    Modality::Text => Part::Text { text: String::new() },
                    Modality::Audio => Part::Audio { transcript: String::new() },
                };
                self.send(Event::PartAdded { at: running.part(&message.item), part });
                message
            }
        };
        running.message.insert(message)
    }

    /// A new item of the response, in progress.
    fn announce(&mut self, running: &Running, item: Item) {
        self.send(Event::OutputItemAdded {
            response: running.id.clone(),
            output_index: running.output.len() as u32,
            item: item.clone(),
        });
        match running.terms.audience {
            Audience::OutOfBand => (),
            Audience::Conversation => {
                let previous = self.conversation.last();
                self.conversation.push(item.clone());
                self.send(Event::ItemAdded { item, previous });
            }
        }
    }

    /// An item of the response is finished.
    fn conclude(&mut self, running: &mut Running, item: Item, said: Vec<Said>) {
        match running.terms.audience {
            Audience::OutOfBand => (),
            Audience::Conversation => {
                let previous = self.conversation.previous(&item.id);
                self.conversation.finish(item.clone(), said);
                self.send(Event::ItemDone { item: item.clone(), previous });
            }
        }
        self.send(Event::OutputItemDone {
            response: running.id.clone(),
            output_index: running.output.len() as u32,
            item: item.clone(),
        });
        running.output.push(item);
    }

    fn close_message(&mut self, running: &mut Running, status: ItemStatus) {
        let Some(message) = running.message.take() else { return };
        let at = running.part(&message.item);
        let part = match running.terms.modality {
            Modality::Text => {
                self.send(Event::TextDone { at: at.clone(), text: message.text.clone() });
                Part::Text { text: message.text.clone() }
            }
            Modality::Audio => {
                let transcript = message.text.clone();
                self.send(Event::AudioDone { at: at.clone() });
                self.send(Event::TranscriptDone { at: at.clone(), transcript: transcript.clone() });
                Part::Audio { transcript }
            }
        };
        self.send(Event::PartDone { at, part });
        let item = message.to_item(running.terms.modality, status);
        let id = item.id.clone();
        self.conclude(running, item, message.said);
        if let (Some(heard), Some(entry)) = (message.heard, self.conversation.entry_mut(&id)) {
            entry.truncate(heard);
        }
    }

    fn call(&mut self, running: &mut Running, call: FunctionCall) {
        running.usage.output_text += tokens(&call.arguments);
        let at = CallAt {
            response: running.id.clone(),
            item: self.ids.item(),
            output_index: running.output.len() as u32,
            call: call.call.clone(),
        };
        let item =
            |status, call| Item { id: at.item.clone(), status, body: ItemBody::FunctionCall(call) };
        let announced = FunctionCall { arguments: String::new(), ..call.clone() };
        self.announce(running, item(ItemStatus::InProgress, announced));
        if running.terms.handoff().is_some_and(|it| it.name == call.name) {
            self.work.begins(call.call.clone(), self.ear.judged());
        }
        let FunctionCall { name, arguments, .. } = call.clone();
        self.send(Event::ArgumentsDelta { at: at.clone(), delta: arguments.clone() });
        self.send(Event::ArgumentsDone { at: at.clone(), name, arguments });
        self.conclude(running, item(ItemStatus::Completed, call), Vec::new());
        running.owed.clear();
    }

    /// Ends it in the middle of what it does.
    pub(super) fn stop(&mut self, mut running: Running, status: ResponseStatus) {
        let id = running.id.clone();
        self.cancel_jobs(|task| {
            *task == Task::Write(id.clone()) || *task == Task::Speak(id.clone())
        });
        self.close_message(&mut running, ItemStatus::Incomplete);
        let was_spoken_over = match status {
            ResponseStatus::Cancelled(CancelReason::TurnDetected) => true,
            // A client that decides by itself what is spoken over.
            ResponseStatus::Cancelled(CancelReason::ClientCancelled) => {
                self.speech.is_some() || !self.unanswered.is_empty()
            }
            ResponseStatus::InProgress
            | ResponseStatus::Completed
            | ResponseStatus::OutOfTokens
            | ResponseStatus::Failed { .. } => false,
        };
        if was_spoken_over {
            // The user spoke on before the request was passed on or answered: so it is with the
            // rest of what they say, or when the client asks for the next response.
            let owed = std::mem::take(&mut running.owed);
            if self.answers_speech() {
                self.unanswered.splice(0..0, owed);
            } else {
                for entry in self.conversation.entries_mut() {
                    entry.handled &= !owed.contains(&entry.item.id);
                }
            }
        }
        self.finish(running, status);
    }

    pub(super) fn finish(&mut self, running: Running, status: ResponseStatus) {
        let is_default = Self::is_default(&running);
        let samples: usize = running.output.iter().map(Item::samples).sum();
        let mut running = running;
        running.usage.output_audio = (samples / SAMPLES_PER_TOKEN_SAID) as u64;
        self.send(Event::ResponseDone(Box::new(running.report(status))));
        self.send(Event::RateLimits);
        if is_default {
            self.idle = match self.idle {
                Idle::Asked => Idle::Asked,
                // It is still being played.
                Idle::Off | Idle::Since(_) => Idle::Since(self.sounds_until.max(self.ear.judged())),
            };
            self.respond_to_speech();
        }
    }
}
