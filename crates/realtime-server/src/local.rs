//! The models of this machine; replies by whatever provider is configured for them.

use config::Provider;
use inference::{Client, Generation, Model, TranscribeOptions, VadStream};
use model_client::{ModelClient, ModelStream};
use protocol::{ModelEvent, ModelRequest, Reasoning};
use voice_pipeline::Route;

use crate::services::{Hearing, Hint, ServiceError, Services, Speaking, Transcript, Writing};

/// Ears and voice of the model host. Clones share it.
#[derive(Debug, Clone)]
pub struct LocalModels {
    host: Client,
    replies: Replies,
}

/// Who writes replies where the client does not bring its own agent.
#[derive(Debug, Clone)]
enum Replies {
    Host,
    Provider {
        client: Box<ModelClient>,
        provider: Box<Provider>,
        model: String,
        reasoning: Reasoning,
    },
}

impl LocalModels {
    /// Everything by the models of the host.
    pub fn new(host: Client) -> Self {
        Self { host, replies: Replies::Host }
    }

    /// Replies by the model of any provider.
    pub fn with_replies_by(
        self,
        client: ModelClient,
        provider: Provider,
        model: String,
        reasoning: Reasoning,
    ) -> Self {
        let (client, provider) = (Box::new(client), Box::new(provider));
        Self { replies: Replies::Provider { client, provider, model, reasoning }, ..self }
    }
}

impl Services for LocalModels {
    type Hearing = VadStream;
    type Speaking = inference::Speech;
    type Writing = Reply;

    async fn warm_up(&self) -> Result<(), ServiceError> {
        // In the order in which a conversation needs them.
        let models =
            vec![Model::VoiceActivity, Model::EndOfTurn, Model::SpeechToText, Model::TextToSpeech];
        let mut loading = self.host.warm_up(models);
        while let Some(step) = loading.next().await {
            step?;
        }
        Ok(())
    }

    /// The agent's model of the host, also where another provider's model is the agent: what is
    /// said meanwhile needs an answer at once, and stays on this machine.
    async fn warm_up_routes(&self) -> Result<(), ServiceError> {
        let mut loading = self.host.warm_up(vec![Model::Agent]);
        while let Some(step) = loading.next().await {
            step?;
        }
        Ok(())
    }

    async fn hear(&self) -> Result<VadStream, ServiceError> {
        Ok(self.host.vad().await?)
    }

    async fn end_of_turn(&self, pcm: Vec<i16>) -> Result<f32, ServiceError> {
        Ok(self.host.end_of_turn(&pcm).await?)
    }

    async fn transcribe(&self, pcm: Vec<i16>, hint: Hint) -> Result<Transcript, ServiceError> {
        let Hint { language, vocabulary } = hint;
        let language = language.unwrap_or(TranscribeOptions::default().language);
        let options = TranscribeOptions { language, vocabulary };
        let inference::Transcript { text, log_probability, no_speech } =
            self.host.transcribe(&pcm, options).await?;
        Ok(Transcript { text, log_probability, no_speech })
    }

    async fn route(&self, words: String) -> Result<Route, ServiceError> {
        Ok(match self.host.route(words).await? {
            inference::Route::Status => Route::Status,
            inference::Route::Repeat => Route::Repeat,
            inference::Route::Work => Route::Work,
        })
    }

    fn speak(&self, text: String, speed: f32) -> inference::Speech {
        self.host.synthesize(text, speed)
    }

    fn write(&self, request: ModelRequest) -> Reply {
        match &self.replies {
            Replies::Host => Reply::Host(self.host.generate(request)),
            Replies::Provider { client, provider, model, reasoning } => {
                Reply::Provider(client.stream(provider, model, *reasoning, request))
            }
        }
    }
}

impl Hearing for VadStream {
    async fn push(&mut self, pcm: &[i16]) -> Result<(), ServiceError> {
        Ok(VadStream::push(self, pcm).await?)
    }

    async fn next(&mut self) -> Result<Vec<f32>, ServiceError> {
        Ok(VadStream::next(self).await?)
    }
}

impl Speaking for inference::Speech {
    async fn next(&mut self) -> Option<Result<Vec<i16>, ServiceError>> {
        let sentence = inference::Speech::next(self).await?;
        Some(sentence.map(|it| it.pcm).map_err(ServiceError::from))
    }
}

/// A reply on its way.
pub enum Reply {
    Host(Generation),
    Provider(ModelStream),
}

impl Writing for Reply {
    async fn next(&mut self) -> Option<Result<ModelEvent, ServiceError>> {
        let event = match self {
            Self::Host(generation) => generation.next().await,
            Self::Provider(stream) => stream.next().await,
        };
        event.map(|it| it.map_err(|error| ServiceError::new(error.message)))
    }
}

impl From<inference::Error> for ServiceError {
    fn from(error: inference::Error) -> Self {
        Self::new(error.to_string())
    }
}
