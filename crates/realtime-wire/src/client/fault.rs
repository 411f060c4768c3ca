//! Sorts `error` events by their code, so that nothing above has to read sentences.

use protocol::{Fault, FaultKind};
use serde_json::Value;

use super::read::{self, Reader};

/// Codes or types after which a service does not go on. Everything else that looks like
/// an error of the current protocol leaves the session alive.
const FATAL: [&str; 9] = [
    "session_expired",
    "invalid_api_key",
    "authentication_error",
    "account_deactivated",
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "model_not_found",
    "permission_error",
];

/// `None` if the event says nothing at all.
pub(crate) fn decode(event: Reader<'_>) -> Option<Fault> {
    let message = message(event)?;
    let error = event.object("error");
    let code = error.and_then(|it| read::text(it, "code"));
    let family = error.and_then(|it| read::text(it, "type"));
    let kind = match code {
        Some("conversation_already_has_active_response") => FaultKind::ResponseActive,
        Some("response_cancel_not_active") => FaultKind::NothingToCancel,
        _ if [code, family].into_iter().flatten().any(|it| FATAL.contains(&it)) => FaultKind::Fatal,
        // Not the current protocol's shape: an older service, where every error is the end.
        None if family.is_none() => FaultKind::Fatal,
        _ => FaultKind::Refused,
    };
    Some(Fault { kind, message })
}

fn message(event: Reader<'_>) -> Option<String> {
    let inner = event.object("error").and_then(|it| read::text(it, "message"));
    if let Some(text) = event.text("message").or(inner) {
        return Some(text.to_owned());
    }
    event.map.get("error").map(Value::to_string)
}
