//! What is known from the words alone, without asking a model. Only whole utterances count, so
//! that "stop the server" stays a request.

/// The two words that are obeyed at once.
const VERBS: [&str; 2] = ["stop", "cancel"];

/// What people say around them.
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

/// What a listener says so that the other goes on, in one word: the sounds as recognisers spell
/// them, and the words that ask for nothing. "No" and "sure" may be answers, and are none; so may
/// "yes", but not to a question that is still being asked.
const BACKCHANNELS: [&str; 30] = [
    "ah", "aha", "ahh", "cool", "eh", "great", "ha", "hm", "hmm", "hmmm", "huh", "k", "mhm", "mm",
    "mmhmm", "mmm", "nice", "oh", "ok", "okay", "ooh", "right", "uh", "uhhuh", "uhm", "um", "wow",
    "yeah", "yep", "yes",
];

/// The same in two words.
const BACKCHANNEL_PAIRS: [[&str; 2]; 6] = [
    ["all", "right"],
    ["got", "it"],
    ["i", "see"],
    ["makes", "sense"],
    ["of", "course"],
    ["very", "good"],
];

/// Nobody says more than that without meaning something by it.
const LONGEST_BACKCHANNEL: usize = 4;

/// Whether an utterance asks for nothing but to stop what is running.
pub fn is_stop(utterance: &str) -> bool {
    let lower = utterance.to_lowercase();
    let mut words = words(&lower);
    let mut asked = false;
    let whole = words.all(|word| {
        let verb = VERBS.contains(&word);
        asked |= verb;
        verb || FILLERS.contains(&word)
    });
    whole && asked
}

/// Whether an utterance only says that somebody listens: "uh-huh", "okay, right". Without words it
/// is none: that is noise.
pub fn is_backchannel(utterance: &str) -> bool {
    let lower = utterance.to_lowercase();
    let words: Vec<&str> = words(&lower).collect();
    let mut rest = words.as_slice();
    loop {
        rest = match rest {
            [] => return !words.is_empty() && words.len() <= LONGEST_BACKCHANNEL,
            [first, second, rest @ ..] if BACKCHANNEL_PAIRS.contains(&[first, second]) => rest,
            [first, rest @ ..] if BACKCHANNELS.contains(first) => rest,
            [..] => return false,
        };
    }
}

/// What people say to let something happen.
const CONSENTS: [&str; 15] = [
    "absolutely",
    "allow",
    "allowed",
    "approve",
    "approved",
    "go",
    "granted",
    "ok",
    "okay",
    "sure",
    "yeah",
    "yep",
    "yes",
    "yup",
    "do",
];

/// What people say around it.
const AROUND_CONSENT: [&str; 22] = [
    "ahead", "all", "can", "course", "fine", "for", "i", "is", "it", "just", "may", "me", "now",
    "of", "on", "please", "right", "run", "that", "then", "this", "you",
];

/// Whether an utterance asks for nothing but to go on with what was asked for: "yes, do it". It is
/// known so that it can be told what approves; it approves nothing.
pub fn is_consent(utterance: &str) -> bool {
    let lower = utterance.to_lowercase();
    let mut consents = false;
    let whole = words(&lower).all(|word| {
        let consent = CONSENTS.contains(&word);
        consents |= consent;
        consent || AROUND_CONSENT.contains(&word)
    });
    whole && consents
}

/// Words that no sentence ends in: something is left to be said. Recognisers put a full stop behind
/// them all the same.
const NEVER_LAST: [&str; 19] = [
    "a", "an", "and", "because", "but", "er", "erm", "every", "its", "my", "or", "our", "than",
    "the", "their", "uh", "um", "whether", "your",
];

/// Words in which a question may end ("what is it for?"), also one inside an order ("say what it is
/// for"), and nothing else.
const LAST_OF_QUESTIONS: [&str; 12] =
    ["about", "at", "between", "by", "called", "for", "from", "into", "named", "of", "to", "with"];
const QUESTION_WORDS: [&str; 9] =
    ["as", "how", "that", "what", "where", "which", "who", "whom", "why"];

/// How recognisers write down that they heard no end.
const OPEN_ENDS: [&str; 3] = [",", "...", "…"];

/// Whether an utterance cannot be over by its words: "rename the".
pub fn leads_on(utterance: &str) -> bool {
    let lower = utterance.trim_end().to_lowercase();
    let last = match (words(utterance).last(), words(&lower).last()) {
        // "Option A" is over.
        (None | Some("A"), _) | (_, None) => return false,
        (Some(_), Some(last)) => last,
    };
    let asks = lower.ends_with('?') || words(&lower).any(|it| QUESTION_WORDS.contains(&it));
    OPEN_ENDS.iter().any(|it| lower.ends_with(it))
        || NEVER_LAST.contains(&last)
        || (!asks && LAST_OF_QUESTIONS.contains(&last))
}

fn words(lower: &str) -> impl Iterator<Item = &str> {
    lower.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty())
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

    #[test]
    fn a_backchannel_asks_for_nothing() {
        for listening in [
            "uh-huh",
            "Uh-huh.",
            "Mm-hmm.",
            "Mhm",
            "Hmm...",
            "Okay.",
            "okay, okay",
            "Yeah, right.",
            "I see.",
            "Oh, got it.",
            "All right.",
            "Yeah yeah yeah yeah",
        ] {
            assert!(is_backchannel(listening), "{listening}");
        }
        for other in [
            "",
            "...",
            "no",
            "sure",
            "stop",
            "okay stop",
            "right click",
            "I",
            "got",
            "okay, and the tests?",
            "great job on the parser",
            "yeah yeah yeah yeah yeah",
            "uh what",
            "wait",
        ] {
            assert!(!is_backchannel(other), "{other}");
        }
    }

    #[test]
    fn consent_is_the_whole_utterance() {
        for consent in
            ["Yes.", "yes, do it", "Go ahead, please.", "I approve", "sure, run it", "OK"]
        {
            assert!(is_consent(consent), "{consent}");
        }
        for other in
            ["", "no", "run it", "yes, and add a test", "do the tests pass", "please", "why"]
        {
            assert!(!is_consent(other), "{other}");
        }
    }

    #[test]
    fn some_words_are_never_the_last() {
        for unfinished in [
            "Rename the.",
            "Add a test for",
            "Is there a",
            "um",
            "A function called.",
            "Fix it and…",
            "When the list is empty,",
            "Which of the tests...",
        ] {
            assert!(leads_on(unfinished), "{unfinished}");
        }
        for whole in [
            "",
            "...",
            "What is it for?",
            "Which function is called?",
            "Run the tests.",
            "Log in.",
            "Turn it off",
            "Pick option A.",
            "Tell me what this file is about.",
            "Explain what this function does.",
            "Show me where it is called.",
            "Leave it as it was.",
            "Yes, it is.",
        ] {
            assert!(!leads_on(whole), "{whole}");
        }
    }
}
