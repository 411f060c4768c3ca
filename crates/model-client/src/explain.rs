//! What went wrong, as a sentence that names the thing and the remedy.

use std::fmt::Display;

use config::{KeySource, OPENAI};
use login::LoginError;
use protocol::{ModelError, ModelErrorKind};
use responses_wire::{DecodeError, Fault, FaultKind};
use transport::HttpError;

/// Whom the sentences are about.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) key: KeySource,
    pub(crate) base_url: String,
}

const PASSING: ModelErrorKind = ModelErrorKind::Transient { after: None };

impl Service {
    /// The service says no.
    pub(crate) fn explain(&self, fault: &Fault) -> ModelError {
        let Self { name, model, .. } = self;
        let (kind, what) = match fault.kind {
            FaultKind::Busy { after } => {
                (ModelErrorKind::Transient { after }, format!("{name} is busy"))
            }
            FaultKind::Broken { after } => {
                (ModelErrorKind::Transient { after }, format!("{name} failed"))
            }
            FaultKind::Quota => (
                ModelErrorKind::Rejected,
                format!(
                    "the account at {name} has no credit left: add some, or use another provider"
                ),
            ),
            FaultKind::Unauthorized => (ModelErrorKind::Unauthorized, self.key_refused()),
            FaultKind::Forbidden => (
                ModelErrorKind::Unauthorized,
                format!("{name} does not allow this to the key ({})", login::origin(&self.key)),
            ),
            FaultKind::UnknownModel => (
                ModelErrorKind::Rejected,
                format!("{name} has no model `{model}`: set `model` to one that it has"),
            ),
            FaultKind::NotFound => (ModelErrorKind::Rejected, self.nothing_there()),
            FaultKind::ContextTooLong => (
                ModelErrorKind::TooLong,
                format!("the conversation is too long for the model `{model}` of {name}"),
            ),
            FaultKind::OutputLimit => (
                ModelErrorKind::Rejected,
                format!(
                    "the model `{model}` of {name} stopped at its limit for one answer: ask for less at once"
                ),
            ),
            FaultKind::ContentFilter => (
                ModelErrorKind::Rejected,
                format!("a filter of {name} stopped the answer: ask in other words"),
            ),
            FaultKind::Invalid => {
                (ModelErrorKind::Rejected, format!("{name} does not take the request"))
            }
        };
        ModelError { kind, message: with_words(what, &fault.message) }
    }

    /// The service does not keep to the protocol.
    pub(crate) fn misspoke(&self, error: &DecodeError) -> ModelError {
        let message = format!(
            "{} does not speak the Responses API as we know it ({error}): {}",
            self.name,
            self.check_base_url()
        );
        ModelError { kind: ModelErrorKind::Rejected, message }
    }

    /// The service said nothing, or the way to it is broken.
    pub(crate) fn failed(&self, error: HttpError) -> ModelError {
        let Self { name, .. } = self;
        let (kind, message) = match &error {
            HttpError::Url { .. } => {
                (ModelErrorKind::Rejected, format!("{error}: {}", self.check_base_url()))
            }
            HttpError::Unreachable { url, reason } => (
                PASSING,
                format!(
                    "cannot reach {name} at {url} ({reason}): check that it runs, the network, and {}",
                    self.base_url_key()
                ),
            ),
            HttpError::Refused(refusal) => {
                let fault = Fault::from_status(refusal.status, refusal.retry_after, &refusal.body);
                return self.explain(&fault);
            }
            HttpError::NotEvents { .. } => {
                (ModelErrorKind::Rejected, format!("{error}: {}", self.check_base_url()))
            }
            HttpError::Idle { limit, .. } => (
                PASSING,
                format!(
                    "{name} sent nothing for {} s: if its model is that slow, raise \
                     `model_providers.{}.stream_idle_timeout_ms`",
                    limit.as_secs_f32(),
                    self.id
                ),
            ),
            HttpError::Broken { reason, .. } => {
                (PASSING, format!("the answer of {name} broke off: {reason}"))
            }
            HttpError::TooLarge { .. } => (ModelErrorKind::Rejected, error.to_string()),
        };
        ModelError { kind, message }
    }

    pub(crate) fn stopped_early(&self) -> ModelError {
        let message = format!("the answer of {} stopped before its end", self.name);
        ModelError { kind: PASSING, message }
    }

    pub(crate) fn not_logged_in(&self, error: &LoginError) -> ModelError {
        let kind = match error {
            LoginError::MissingKey { .. } | LoginError::InvalidKey { .. } => {
                ModelErrorKind::Unauthorized
            }
            LoginError::InvalidHeader { .. } => ModelErrorKind::Rejected,
        };
        ModelError { kind, message: error.to_string() }
    }

    fn key_refused(&self) -> String {
        let Self { id, name, key, .. } = self;
        match key {
            KeySource::Variable { name: variable, hint: _ } => {
                format!("{name} refused the key: check the environment variable {variable}")
            }
            KeySource::Token(_) => format!(
                "{name} refused the key: check `model_providers.{id}.experimental_bearer_token`"
            ),
            KeySource::None => format!(
                "{name} asks for a key: name its environment variable in \
                 `model_providers.{id}.env_key`"
            ),
        }
    }

    fn nothing_there(&self) -> String {
        let Self { name, base_url, .. } = self;
        format!("{name} has no Responses API at {base_url}/responses: {}", self.check_base_url())
    }

    fn check_base_url(&self) -> String {
        format!("check {}, which usually ends in /v1", self.base_url_key())
    }

    fn base_url_key(&self) -> String {
        if self.id == OPENAI {
            "`openai_base_url`".to_owned()
        } else {
            format!("`model_providers.{}.base_url`", self.id)
        }
    }
}

fn with_words(what: String, words: &impl Display) -> String {
    match words.to_string().trim() {
        "" => what,
        words => format!("{what} (it says: {words})"),
    }
}
