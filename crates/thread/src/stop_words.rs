//! The two words that are obeyed without asking a model: "stop" and "cancel".
//!
//! Only whole utterances count, so that "stop the server" stays a request.

const VERBS: [&str; 2] = ["stop", "cancel"];

/// What people say around it.
const FILLERS: [&str; 14] = [
    "please",
    "now",
    "it",
    "that",
    "this",
    "everything",
    "all",
    "ok",
    "okay",
    "hey",
    "duet",
    "no",
    "just",
    "right",
];

/// Whether an utterance asks for nothing but to stop what is running.
pub(crate) fn is_stop(utterance: &str) -> bool {
    let lower = utterance.to_lowercase();
    let mut words = lower.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    let mut asked = false;
    let whole = words.all(|word| {
        let verb = VERBS.contains(&word);
        asked |= verb;
        verb || FILLERS.contains(&word)
    });
    whole && asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_utterances_only() {
        for stop in [
            "stop",
            " Stop. ",
            "Cancel!",
            "stop, stop, STOP",
            "okay, stop it now please",
            "no no stop that",
            "Cancel everything.",
        ] {
            assert!(is_stop(stop), "{stop}");
        }
        for other in [
            "",
            "…",
            "please",
            "stop the server",
            "cancel the last commit",
            "why did it stop?",
            "don't stop",
            "add a stop button",
            "unstoppable",
            "abort",
            "abort, please",
        ] {
            assert!(!is_stop(other), "{other}");
        }
    }
}
