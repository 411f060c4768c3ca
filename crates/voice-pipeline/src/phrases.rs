//! What the local voice says by itself.

/// Said while a request is handed off, in turn. Short and good for any request: also for
/// "stop". The driver renders them before they are needed.
pub const ACKNOWLEDGEMENTS: [&str; 4] = [
    "Okay, one moment.",
    "Sure, I'm on it.",
    "Alright, let me see.",
    "Okay, I'll take care of it.",
];

/// Said when the client's idle timeout has passed.
pub const CHECK_IN: &str = "I'm still here if you need anything.";

/// Said for a result without words.
pub(crate) const DONE: &str = "That's done.";

/// What was said, as far as it is words: recognisers put noise into brackets, or write marks.
pub(crate) fn words_heard(transcript: &str) -> String {
    let mut words = String::new();
    let mut rest = transcript;
    while let Some(start) = rest.find(['[', '(', '*', '♪']) {
        let open = rest[start..].chars().next().unwrap_or('[');
        let close = match open {
            '[' => ']',
            '(' => ')',
            other => other,
        };
        let body = start + open.len_utf8();
        let Some(end) = rest[body..].find(close) else { break };
        words.push_str(&rest[..start]);
        rest = &rest[body + end + close.len_utf8()..];
    }
    words.push_str(rest);
    if !words.chars().any(char::is_alphanumeric) {
        return String::new();
    }
    // Verbatim where nothing was taken out.
    match words.len() == transcript.len() {
        true => transcript.trim().to_owned(),
        false => words.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// `{"name":"text"}`.
pub(crate) fn json_object(name: &str, text: &str) -> String {
    format!("{{{}:{}}}", json_string(name), json_string(text))
}

fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_no_words() {
        for noise in
            ["", " ", "...", "[BLANK_AUDIO]", "(music playing)", "*coughs*", "♪ la ♪", "[a] (b)!"]
        {
            assert_eq!(words_heard(noise), "", "{noise:?}");
        }
        assert_eq!(words_heard(" Run the  tests. "), "Run the  tests.");
        assert_eq!(words_heard("[noise] run it (laughs) now"), "run it now");
        assert_eq!(words_heard("an [open bracket"), "an [open bracket");
    }

    #[test]
    fn arguments_are_json() {
        assert_eq!(
            json_object("prompt", "say \"hi\"\\\n\u{1}"),
            r#"{"prompt":"say \"hi\"\\\n\u0001"}"#
        );
    }
}
