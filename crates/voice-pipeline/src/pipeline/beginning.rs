//! How responses begin: what there is to answer, and who answers it.

use super::*;

impl Pipeline {
    /// Answers what the user said, if it is our turn to speak.
    pub(super) fn respond_to_speech(&mut self) {
        let waiting = self.unanswered.iter().any(|it| self.writing_down.contains_key(it));
        if self.unanswered.is_empty() {
            return self.stop_routing();
        }
        if waiting || self.ear.is_speech() || self.is_busy() {
            return;
        }
        let words = self.words_of(&self.unanswered);
        if words.is_empty() {
            // Noise: nothing was said, so nothing is answered.
            self.stop_routing();
            let items = std::mem::take(&mut self.unanswered);
            return self.mark_handled(&items);
        }
        let terms = Terms::new(&self.settings, ResponseRequest::default());
        let handoff = terms.handoff();
        let route = match &handoff {
            // That is obeyed without asking anybody.
            Some(_) if utterance::is_stop(&words) => Some(Route::Work),
            Some(_) if self.work.goes_on() => self.route(words),
            Some(_) | None => Some(Route::Work),
        };
        let Some(route) = route else { return };
        let meanwhile = self.meanwhile(route);
        self.stop_routing();
        let items = std::mem::take(&mut self.unanswered);
        let running = self.open(terms);
        match (meanwhile, handoff) {
            (Some(said), _) => self.answer_meanwhile(running, items, said),
            (None, Some(tool)) => self.hand_off(running, &items, &tool),
            (None, None) => {
                self.mark_handled(&items);
                self.answer(running, None);
            }
        }
    }

    pub(super) fn respond_to_client(
        &mut self,
        mut request: ResponseRequest,
    ) -> Result<(), Refusal> {
        match self.settings.kind {
            SessionKind::Transcription => return Err(Refusal::NeverResponds),
            SessionKind::Realtime => (),
        }
        match request.audience {
            Audience::Conversation => {
                if let Some(running) = self.responses.iter().find(|it| Self::is_default(it)) {
                    return Err(Refusal::ResponseActive { running: running.id.clone() });
                }
            }
            Audience::OutOfBand => {
                let running = self.responses.iter().filter(|it| !Self::is_default(it)).count();
                if MOST_OUT_OF_BAND <= running {
                    return Err(Refusal::TooManyResponses { most: MOST_OUT_OF_BAND });
                }
            }
        }
        let input = request.input.take().map(|it| self.resolve(it)).transpose()?;
        let terms = Terms::new(&self.settings, request);
        let handoff = terms.handoff().filter(|_| input.is_none());
        let purpose = match (handoff, self.newest_waiting()) {
            (Some(_), Some(Waiting::Results)) => Purpose::TellResults,
            (Some(tool), Some(Waiting::Request(request))) => Purpose::HandOff { request, tool },
            (Some(_), None) => Purpose::Answer { input },
            (None, _) => {
                // The answer is to everything that was said.
                if terms.audience == Audience::Conversation {
                    self.unanswered.clear();
                }
                Purpose::Answer { input }
            }
        };
        let mut running = self.open(terms);
        match &purpose {
            Purpose::HandOff { request, tool: _ } => running.owed = vec![request.clone()],
            Purpose::TellResults | Purpose::Answer { .. } => (),
        }
        running.phase = Phase::Waiting(purpose);
        self.responses.push(running);
        self.go_on();
        Ok(())
    }

    /// The newest thing in the conversation that a response has to be asked for.
    ///
    /// What was spoken is answered without being asked. What a client writes about running
    /// work is not a request: handed back, it would go round for ever.
    fn newest_waiting(&self) -> Option<Waiting> {
        let newest = self.conversation.entries().rev().find(|it| {
            let news = matches!(it.item.body, ItemBody::Message { .. }) && is_news(&it.item.text());
            it.waits() && !news && !self.unanswered.contains(&it.item.id)
        })?;
        Some(match newest.item.body {
            ItemBody::FunctionCallOutput { .. } => Waiting::Results,
            ItemBody::Message { .. } | ItemBody::FunctionCall(_) => {
                Waiting::Request(newest.item.id.clone())
            }
        })
    }

    /// Announces a response that then has to be made.
    pub(super) fn open(&mut self, terms: Terms) -> Running {
        let running = Running {
            id: self.ids.response(),
            terms,
            phase: Phase::Making(Making::saying(Vec::new(), SoundNeed::Needed)),
            output: Vec::new(),
            message: None,
            owed: Vec::new(),
            usage: Usage::default(),
        };
        self.idle = Idle::Off;
        let report = running.report(ResponseStatus::InProgress);
        self.send(Event::ResponseCreated(Box::new(report)));
        running
    }

    /// A short acknowledgement, then the user's words, verbatim, to whoever offered the tool.
    pub(super) fn hand_off(&mut self, mut running: Running, requests: &[ItemId], tool: &Handoff) {
        let words = self.words_of(requests);
        self.mark_handled(requests);
        running.owed = requests.to_vec();
        running.usage.input_text += tokens(&words);
        running.usage.input_audio += self.sound_of(requests);
        if words.is_empty() {
            return self.finish(running, ResponseStatus::Completed);
        }
        // Who wants silence gets it; the end of the work is told.
        let acknowledgement = match self.work.goes_on() && utterance::is_stop(&words) {
            true => None,
            false => {
                self.acknowledged += 1;
                Some(ACKNOWLEDGEMENTS[(self.acknowledged - 1) % ACKNOWLEDGEMENTS.len()].to_owned())
            }
        };
        let call = FunctionCall {
            call: self.ids.call(),
            name: tool.name.clone(),
            arguments: json_object(&tool.parameter, &words),
        };
        let making = Making::saying(acknowledgement.into_iter().collect(), SoundNeed::Nice);
        self.make(running, making.then_call(call));
    }

    /// Says the results that came since the last response.
    pub(super) fn tell_results(&mut self, mut running: Running) {
        let mut said = Vec::new();
        let mut results = 0;
        for entry in self.conversation.entries_mut().filter(|it| it.waits()) {
            if let ItemBody::FunctionCallOutput { output, .. } = &entry.item.body {
                running.usage.input_text += tokens(output);
                entry.handled = true;
                if is_acknowledgement(output) {
                    continue;
                }
                results += 1;
                match running.terms.modality {
                    Modality::Audio => {
                        let text = for_the_ear(output);
                        said.extend(sentences(&text).into_iter().map(str::to_owned));
                    }
                    Modality::Text => said.push(without_label(output).to_owned()),
                }
            }
        }
        if results == 0 {
            return self.finish(running, ResponseStatus::Completed);
        }
        said.retain(|it| !it.is_empty());
        if said.is_empty() {
            said.push(DONE.to_owned());
        }
        self.make(running, Making::saying(said, SoundNeed::Needed));
    }

    /// The language model answers.
    pub(super) fn answer(&mut self, mut running: Running, input: Option<Vec<Item>>) {
        let request = match &input {
            Some(items) => context::request(&running.terms, items.iter(), &self.key),
            None => context::request(&running.terms, self.conversation.items(), &self.key),
        };
        running.usage.input_text += (context::weight(&request) / CHARS_PER_TOKEN) as u64;
        let job = Job::Reply { request: Box::new(request) };
        self.start(job, Task::Write(running.id.clone()));
        self.make(running, Making::being_written());
    }
}

/// What a client's request for a response is about.
#[derive(Debug, PartialEq, Eq)]
enum Waiting {
    Results,
    Request(ItemId),
}
