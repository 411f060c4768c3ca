//! What the models found.

use super::*;

impl Pipeline {
    pub(super) fn on_job(&mut self, epoch: Epoch, news: JobNews) {
        let Some(task) = self.jobs.get(&epoch).cloned() else { return };
        match (task, news) {
            (Task::EndOfTurn, JobNews::EndOfTurn { probability }) => {
                self.jobs.remove(&epoch);
                self.on_end_of_turn(Some(COMPLETE <= probability));
            }
            (Task::EndOfTurn, JobNews::Failed { .. }) => {
                // Silence alone ends this utterance: slower, and nothing is lost.
                self.jobs.remove(&epoch);
                self.on_end_of_turn(None);
            }
            (Task::Transcribe(item), JobNews::Transcript { text, log_probability, no_speech }) => {
                self.jobs.remove(&epoch);
                self.on_words(item, Words { text, log_probability, no_speech });
            }
            (Task::Draft, JobNews::Transcript { text, log_probability, no_speech }) => {
                self.jobs.remove(&epoch);
                let words = Words { text, log_probability, no_speech };
                match self.draft.take() {
                    Some(Draft::Asked(Some(item))) => self.on_words(item, words),
                    Some(Draft::Asked(None)) => {
                        if utterance::leads_on(&words.text) {
                            self.ear.wait_on();
                        }
                        self.draft = Some(Draft::Written(words));
                    }
                    Some(Draft::Written(_)) | None => never!("words that nobody asked for"),
                }
            }
            (Task::Draft, JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                // Where the speech is not over yet, it will be written down when it is.
                if let Some(Draft::Asked(Some(item))) = self.draft.take() {
                    self.on_transcription_failed(item, message);
                }
            }
            (Task::Transcribe(item), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                self.on_transcription_failed(item, message);
            }
            (Task::Route, JobNews::Routed { route }) => {
                self.jobs.remove(&epoch);
                self.on_routed(route);
            }
            (Task::Route, JobNews::Failed { .. }) => {
                // Whoever works is asked instead: slower, and nothing is lost.
                self.jobs.remove(&epoch);
                self.on_routed(Route::Work);
            }
            (Task::Write(response), JobNews::Text { delta }) => self.on_text(&response, &delta),
            (Task::Write(response), JobNews::Call { name, arguments }) => {
                let call = FunctionCall { call: self.ids.call(), name, arguments };
                if let Some(mut running) = self.take_response(|it| it.id == response) {
                    if let Phase::Making(making) = &mut running.phase {
                        making.calls.push_back(call);
                    }
                    self.advance(running);
                }
            }
            (Task::Write(response), JobNews::Done) => {
                self.jobs.remove(&epoch);
                self.on_written(&response);
            }
            (Task::Speak(response), JobNews::Sound { pcm }) => self.on_sound(&response, &pcm),
            (Task::Speak(response), JobNews::Done) => {
                self.jobs.remove(&epoch);
                self.on_spoken(&response, None);
            }
            (Task::Speak(response), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                self.on_spoken(&response, Some(message));
            }
            (Task::Write(response), JobNews::Failed { message }) => {
                self.jobs.remove(&epoch);
                if let Some(running) = self.take_response(|it| it.id == response) {
                    self.stop(running, ResponseStatus::Failed { message });
                }
            }
            (
                Task::EndOfTurn,
                JobNews::Transcript { .. }
                | JobNews::Routed { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. }
                | JobNews::Sound { .. }
                | JobNews::Done,
            )
            | (
                Task::Transcribe(_) | Task::Draft,
                JobNews::EndOfTurn { .. }
                | JobNews::Routed { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. }
                | JobNews::Sound { .. }
                | JobNews::Done,
            )
            | (
                Task::Route,
                JobNews::EndOfTurn { .. }
                | JobNews::Transcript { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. }
                | JobNews::Sound { .. }
                | JobNews::Done,
            )
            | (
                Task::Write(_),
                JobNews::EndOfTurn { .. }
                | JobNews::Transcript { .. }
                | JobNews::Routed { .. }
                | JobNews::Sound { .. },
            )
            | (
                Task::Speak(_),
                JobNews::EndOfTurn { .. }
                | JobNews::Transcript { .. }
                | JobNews::Routed { .. }
                | JobNews::Text { .. }
                | JobNews::Call { .. },
            ) => never!("a job was answered with another job's news"),
        }
    }

    pub(super) fn on_words(&mut self, item: ItemId, words: Words) {
        let Words { text, log_probability, no_speech } = words;
        let nobody = NOBODY_SPOKE < no_speech && log_probability < A_GUESS;
        let sound = log_probability < UNSURE
            && self.is_short_and_over_a_reply(&item)
            && !utterance::is_stop(&text);
        self.on_transcript(item, if nobody || sound { "" } else { &text });
    }

    fn on_end_of_turn(&mut self, complete: Option<bool>) {
        let heard = self.ear.answer(complete);
        self.on_heard(heard);
        self.listen();
    }

    fn on_text(&mut self, id: &ResponseId, delta: &str) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let limit = running.terms.max_output_tokens;
        let modality = running.terms.modality;
        let Phase::Making(making) = &mut running.phase else {
            never!("text for a response that still waits for words");
            return self.responses.push(running);
        };
        let Some(writer) = &mut making.writer else {
            never!("text for a response that nobody writes");
            return self.responses.push(running);
        };
        writer.chars += delta.chars().count();
        let too_long = limit
            .is_some_and(|limit| (limit as usize).saturating_mul(CHARS_PER_TOKEN) < writer.chars);
        if too_long {
            making.ending = ResponseStatus::OutOfTokens;
            making.calls.clear();
            let rest = writer.sentences.finish();
            making.writer = None;
            self.cancel_jobs(|task| *task == Task::Write(id.clone()));
            if let (Modality::Audio, Some(rest)) = (modality, rest) {
                self.plan_to_say(&mut running, &rest);
            }
            return self.advance(running);
        }
        match modality {
            Modality::Text => {
                if !delta.is_empty() {
                    self.put(&mut running, delta.to_owned());
                }
            }
            Modality::Audio => {
                for sentence in writer.sentences.push(delta) {
                    self.plan_to_say(&mut running, &sentence);
                }
            }
        }
        self.advance(running);
    }

    fn on_written(&mut self, id: &ResponseId) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let Phase::Making(making) = &mut running.phase else {
            never!("a response is written before its words are known");
            return self.responses.push(running);
        };
        if let Some(mut writer) = making.writer.take() {
            let rest = writer.sentences.finish();
            let only_code = rest.is_none()
                && writer.sentences.saw_code()
                && making.sentences.is_empty()
                && running.message.is_none();
            match running.terms.modality {
                Modality::Text => (),
                Modality::Audio if only_code => {
                    self.plan_to_say(&mut running, "There is code on the screen.");
                }
                Modality::Audio => {
                    if let Some(rest) = rest {
                        self.plan_to_say(&mut running, &rest);
                    }
                }
            }
        }
        self.advance(running);
    }

    fn plan_to_say(&mut self, running: &mut Running, written: &str) {
        let sentence = say(written);
        if let (Phase::Making(making), false) = (&mut running.phase, sentence.is_empty()) {
            making.sentences.push_back(sentence);
        }
    }

    fn on_sound(&mut self, id: &ResponseId, pcm: &[i16]) {
        let Some(at) = self.responses.iter().position(|it| it.id == *id) else { return };
        let running = &mut self.responses[at];
        let format = running.terms.look.format;
        let Some(message) = &mut running.message else {
            never!("sound without a message");
            return;
        };
        message.pcm.extend_from_slice(pcm);
        if let Some(said) = message.said.last_mut() {
            said.samples += pcm.len();
        }
        let item = message.item.clone();
        // What is not for anybody else has its answer now.
        if matches!(&running.phase, Phase::Making(making) if making.calls.is_empty()) {
            running.owed.clear();
        }
        let part = running.part(&item);
        if Self::is_default(running) {
            self.sounds_until = self.sounds_until.max(self.ear.judged()) + pcm.len() as u64;
        }
        for piece in pcm.chunks(DELTA) {
            let pcm = piece.to_vec();
            self.send(Event::AudioDelta { at: part.clone(), format, pcm });
            self.voice_was_heard = true;
        }
    }

    fn on_spoken(&mut self, id: &ResponseId, failed: Option<String>) {
        let Some(mut running) = self.take_response(|it| it.id == *id) else { return };
        let Phase::Making(making) = &mut running.phase else {
            never!("a response speaks before its words are known");
            return self.responses.push(running);
        };
        making.speaking = false;
        match (failed, making.sound) {
            (None, _) | (Some(_), SoundNeed::Nice) => self.advance(running),
            (Some(message), SoundNeed::Needed) => {
                self.stop(running, ResponseStatus::Failed { message });
            }
        }
    }
}
