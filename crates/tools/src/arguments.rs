//! A call's arguments: JSON text by a model, taken apart with sentences that help it do better.

use serde_json::{Map, Value};

/// Why the call does not run: a sentence for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadArguments(pub(crate) String);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(crate) fn parse(text: &str) -> Result<Self, BadArguments> {
        // Some providers send nothing for a tool without parameters.
        if text.trim().is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(BadArguments("The arguments must be a JSON object.".to_owned())),
            Err(error) => Err(BadArguments(format!("The arguments are not valid JSON: {error}."))),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, BadArguments> {
        self.optional_text(name)?
            .ok_or_else(|| BadArguments(format!("The argument `{name}` is missing.")))
    }

    /// Null counts as absent, and so does an empty text, which small models write for "none".
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&str>, BadArguments> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(BadArguments(format!("The argument `{name}` must be a string."))),
        }
    }

    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<u64>, BadArguments> {
        let bad = || BadArguments(format!("The argument `{name}` must be a whole number."));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            // Models write 5.0, and numbers in quotes.
            Some(Value::Number(number)) => {
                let float = || number.as_f64().filter(|it| 0.0 <= *it && it.fract() == 0.0);
                number.as_u64().or_else(|| float().map(|it| it as u64)).map(Some).ok_or_else(bad)
            }
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| bad()),
            Some(_) => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_taken_leniently_and_refused_with_a_sentence() {
        let arguments = Arguments::parse(r#"{"a":"x","n":"7","f":5.0,"e":"","l":[]}"#).unwrap();
        assert_eq!(arguments.text("a"), Ok("x"));
        assert_eq!(arguments.optional_text("e"), Ok(None));
        assert_eq!(arguments.optional_number("n"), Ok(Some(7)));
        assert_eq!(arguments.optional_number("f"), Ok(Some(5)));
        let missing = BadArguments("The argument `b` is missing.".to_owned());
        assert_eq!(arguments.text("b"), Err(missing));
        assert!(arguments.text("l").is_err());
        assert!(arguments.optional_number("a").is_err());
        assert!(Arguments::parse("{\"a\":").is_err());
        assert!(Arguments::parse("[]").is_err());
        assert!(Arguments::parse(" ").is_ok());
    }
}
