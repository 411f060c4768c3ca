//! What was said, in words.

use super::*;

impl Pipeline {
    /// Words take as long as the pause that is waited for, so they are written down meanwhile. Long
    /// speech is not: it is written down in pieces.
    pub(super) fn begin_draft(&mut self, pcm: &Arc<[i16]>) {
        self.drop_draft();
        if self.draft.is_none() && segments(pcm).len() == 1 {
            self.draft = Some(Draft::Asked(None));
            self.transcribe(pcm, Task::Draft);
        }
    }

    pub(super) fn drop_draft(&mut self) {
        // With an item it is nobody's to drop: that speech is over.
        if !matches!(self.draft, Some(Draft::Asked(Some(_)))) {
            self.cancel_jobs(|task| *task == Task::Draft);
            self.draft = None;
        }
    }

    /// What the ear found to be said.
    pub(super) fn write_down_speech(&mut self, id: ItemId, pcm: &Arc<[i16]>) {
        match self.draft.take() {
            Some(Draft::Written(words)) => {
                self.dictation(id.clone(), VecDeque::new(), pcm.len());
                self.on_words(id, words);
            }
            Some(Draft::Asked(None)) => {
                self.dictation(id.clone(), VecDeque::new(), pcm.len());
                self.draft = Some(Draft::Asked(Some(id)));
            }
            other => {
                self.draft = other;
                self.write_down(id, pcm);
            }
        }
    }

    pub(super) fn write_down(&mut self, id: ItemId, pcm: &Arc<[i16]>) {
        let mut parts: VecDeque<Arc<[i16]>> = match segments(pcm).as_slice() {
            [_] => [Arc::clone(pcm)].into(),
            pieces => pieces.iter().map(|it| Arc::from(&pcm[it.clone()])).collect(),
        };
        let first = parts.pop_front().unwrap_or_default();
        self.dictation(id.clone(), parts, pcm.len());
        self.transcribe(&first, Task::Transcribe(id));
    }

    fn dictation(&mut self, id: ItemId, parts: VecDeque<Arc<[i16]>>, samples: usize) {
        let over_reply = self.over_reply.take();
        let dictation = Dictation { parts, text: Vec::new(), samples, over_reply };
        self.writing_down.insert(id, dictation);
    }

    fn transcribe(&mut self, pcm: &Arc<[i16]>, task: Task) {
        let pcm = Arc::clone(pcm);
        let Transcription { language, vocabulary } =
            self.settings.transcription.clone().unwrap_or_default();
        self.start(Job::Transcribe { pcm, language, vocabulary }, task);
    }

    pub(super) fn on_transcript(&mut self, id: ItemId, text: &str) {
        let Some(dictation) = self.writing_down.get_mut(&id) else { return };
        dictation.text.extend(Some(words_heard(text)).filter(|it| !it.is_empty()));
        if let Some(next) = dictation.parts.pop_front() {
            self.transcribe(&next, Task::Transcribe(id));
            return;
        }
        let transcript = dictation.text.join(" ");
        let seconds = dictation.samples as f64 / f64::from(DUET_HZ);
        let over_reply = dictation.over_reply;
        self.writing_down.remove(&id);
        if let Some(began) = over_reply {
            self.weigh(&id, began, &transcript);
        }
        if let Some(entry) = self.conversation.entry_mut(&id)
            && let ItemBody::Message { content, .. } = &mut entry.item.body
        {
            let spoken =
                |part: &&mut Content| matches!(part, Content::InputAudio { transcript: None, .. });
            if let Some(Content::InputAudio { transcript: unknown, .. }) =
                content.iter_mut().find(spoken)
            {
                *unknown = Some(transcript.clone());
            }
        }
        if self.settings.transcription.is_some() {
            self.send(Event::Transcribed { item: id, content_index: 0, transcript, seconds });
        }
        self.go_on();
    }

    pub(super) fn is_short_and_over_a_reply(&self, id: &ItemId) -> bool {
        let dictation = self.writing_down.get(id);
        dictation.is_some_and(|it| it.over_reply.is_some() && it.samples <= SHORT)
    }

    /// What was said over a reply may be a cough or a sign that somebody listens: nobody has to
    /// answer that, and whoever plays the reply goes on with it.
    fn weigh(&mut self, id: &ItemId, began: u64, transcript: &str) {
        if !transcript.is_empty() && !utterance::is_backchannel(transcript) {
            return;
        }
        let is_ours_to_answer = self.unanswered.contains(id);
        self.unanswered.retain(|it| it != id);
        if is_ours_to_answer {
            self.mark_handled(std::slice::from_ref(id));
            // It was held meanwhile.
            self.sounds_until += self.ear.judged().saturating_sub(began);
        }
    }

    pub(super) fn on_transcription_failed(&mut self, id: ItemId, message: String) {
        self.writing_down.remove(&id);
        self.unanswered.retain(|it| *it != id);
        if self.settings.transcription.is_some() {
            let item = id.clone();
            let message = message.clone();
            self.send(Event::TranscriptionFailed { item, content_index: 0, message });
        } else {
            let refusal = Refusal::Fault { message: message.clone() };
            self.send(Event::Refused { event_id: None, refusal });
        }
        let waits = |it: &Running| match &it.phase {
            Phase::Waiting(Purpose::HandOff { request, .. }) => *request == id,
            Phase::Waiting(Purpose::TellResults | Purpose::Answer { .. }) | Phase::Making(_) => {
                false
            }
        };
        if let Some(running) = self.take_response(waits) {
            self.stop(running, ResponseStatus::Failed { message });
        }
        self.go_on();
    }

    /// Something that was waited for has come, or never will.
    pub(super) fn go_on(&mut self) {
        while let Some(at) = self.responses.iter().position(|it| self.is_ready(it)) {
            let mut running = self.responses.remove(at);
            let nothing = Phase::Making(Making::saying(Vec::new(), SoundNeed::Needed));
            match std::mem::replace(&mut running.phase, nothing) {
                Phase::Waiting(purpose) => self.begin(running, purpose),
                Phase::Making(_) => never!("what is ready to begin has begun"),
            }
        }
        self.respond_to_speech();
    }

    fn is_ready(&self, running: &Running) -> bool {
        let Phase::Waiting(purpose) = &running.phase else { return false };
        // Nobody is talked over.
        let may_speak = !self.ear.is_speech() || running.terms.audience == Audience::OutOfBand;
        may_speak
            && match purpose {
                Purpose::TellResults => true,
                Purpose::HandOff { request, .. } => !self.writing_down.contains_key(request),
                Purpose::Answer { input: None } => self.writing_down.is_empty(),
                Purpose::Answer { input: Some(_) } => true,
            }
    }

    fn begin(&mut self, running: Running, purpose: Purpose) {
        match purpose {
            Purpose::TellResults => self.tell_results(running),
            Purpose::HandOff { request, tool } => self.hand_off(running, &[request], &tool),
            Purpose::Answer { input } => self.answer(running, input),
        }
    }
}
