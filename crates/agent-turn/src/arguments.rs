//! Whether a model's arguments fit a tool's schema, and if not, a sentence from which the
//! model can do better.

use protocol::{Property, Schema, ToolSpec};
use serde_json::{Map, Value};

/// Choices that are named in a complaint: enough to pick from, not a listing.
const CHOICES_NAMED: usize = 12;

/// The arguments as a JSON object in which an optional `null` counts as left out.
///
/// Empty arguments are an empty object: several services write nothing for a tool without
/// parameters.
pub(crate) fn parse(spec: &ToolSpec, arguments: &str) -> Result<Map<String, Value>, String> {
    if arguments.trim().is_empty() {
        return object(&spec.name, &spec.parameters, Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(given)) => object(&spec.name, &spec.parameters, given),
        Ok(other) => Err(format!("the arguments must be a JSON object, not {}", kind(&other))),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

fn object(
    at: &str,
    properties: &[Property],
    mut given: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    for Property { name, description: _, schema, required } in properties {
        match given.get(name) {
            Some(Value::Null) if !required => {
                given.shift_remove(name);
            }
            Some(value) => check(name, schema, value)?,
            None if *required => return Err(format!("{at} needs `{name}`")),
            None => (),
        }
    }
    let known = |name: &String| properties.iter().any(|property| property.name == *name);
    if let Some(unknown) = given.keys().find(|name| !known(name)) {
        let names: Vec<String> =
            properties.iter().map(|property| format!("`{}`", property.name)).collect();
        return Err(match names.as_slice() {
            [] => format!("{at} takes no arguments, but `{unknown}` was given"),
            [..] => format!("{at} has no `{unknown}`; it takes {}", names.join(", ")),
        });
    }
    Ok(given)
}

fn check(at: &str, schema: &Schema, value: &Value) -> Result<(), String> {
    match (schema, value) {
        (Schema::Object(properties), Value::Object(given)) => {
            object(at, properties, given.clone()).map(|_| ())
        }
        // `max_chars` bounds what the bundled model may write; longer text from others is
        // the tool's to judge.
        (Schema::Text { max_chars: _ }, Value::String(_)) => Ok(()),
        (Schema::Choice(choices), Value::String(chosen)) => choice(at, choices, chosen),
        (Schema::Integer { min, max }, Value::Number(number)) => match number.as_i64() {
            Some(number) if min.is_some_and(|min| number < min) => {
                Err(format!("`{at}` must be at least {}", min.unwrap_or(number)))
            }
            Some(number) if max.is_some_and(|max| max < number) => {
                Err(format!("`{at}` must be at most {}", max.unwrap_or(number)))
            }
            Some(_) => Ok(()),
            None => Err(format!("`{at}` must be a whole number, not {number}")),
        },
        (Schema::Boolean, Value::Bool(_)) => Ok(()),
        (Schema::List(each), Value::Array(values)) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| check(&format!("{at}[{index}]"), each, value)),
        (
            Schema::Object(_)
            | Schema::Text { .. }
            | Schema::Choice(_)
            | Schema::Integer { .. }
            | Schema::Boolean
            | Schema::List(_),
            other,
        ) => Err(format!("`{at}` must be {}, not {}", wanted(schema), kind(other))),
    }
}

fn choice(at: &str, choices: &[String], chosen: &str) -> Result<(), String> {
    if choices.iter().any(|choice| choice == chosen) {
        return Ok(());
    }
    let named = choices.iter().take(CHOICES_NAMED).map(|choice| format!("`{choice}`"));
    let named = named.collect::<Vec<_>>().join(", ");
    let rest = match choices.len().saturating_sub(CHOICES_NAMED) {
        0 => String::new(),
        more => format!(" or {more} more"),
    };
    Err(format!("`{at}` cannot be `{chosen}`; it can be {named}{rest}"))
}

fn wanted(schema: &Schema) -> &'static str {
    match schema {
        Schema::Object(_) => "an object",
        Schema::Text { .. } | Schema::Choice(_) => "a string",
        Schema::Integer { .. } => "a whole number",
        Schema::Boolean => "true or false",
        Schema::List(_) => "a list",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use protocol::ToolEffect;

    use super::*;

    fn spec() -> ToolSpec {
        let file = Schema::Choice(vec!["a.rs".to_owned(), "b.rs".to_owned()]);
        let argv = Schema::List(Box::new(Schema::Text { max_chars: None }));
        ToolSpec {
            name: "read".to_owned(),
            description: String::new(),
            parameters: vec![
                Property::required("file", "", file),
                Property::optional("from", "", Schema::Integer { min: Some(1), max: Some(9) }),
                Property::optional("whole", "", Schema::Boolean),
                Property::optional("argv", "", argv),
            ],
            effect: ToolEffect::Reads,
        }
    }

    #[track_caller]
    fn check(arguments: &str, expected: Result<&str, &str>) {
        let parsed = parse(&spec(), arguments).map(|given| Value::Object(given).to_string());
        assert_eq!(parsed.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn complaints_name_what_is_wrong() {
        check(r#"{"file":"a.rs","from":null}"#, Ok(r#"{"file":"a.rs"}"#));
        check(r#"{"file":"a.rs","argv":["x"]}"#, Ok(r#"{"file":"a.rs","argv":["x"]}"#));
        check("", Err("read needs `file`"));
        check("[1]", Err("the arguments must be a JSON object, not a list"));
        check(r#"{"file":"c.rs"}"#, Err("`file` cannot be `c.rs`; it can be `a.rs`, `b.rs`"));
        check(r#"{"file":7}"#, Err("`file` must be a string, not a number"));
        check(r#"{"file":null}"#, Err("`file` must be a string, not null"));
        check(r#"{"file":"a.rs","from":0}"#, Err("`from` must be at least 1"));
        check(r#"{"file":"a.rs","from":10}"#, Err("`from` must be at most 9"));
        check(r#"{"file":"a.rs","from":1.5}"#, Err("`from` must be a whole number, not 1.5"));
        check(r#"{"file":"a.rs","argv":[1]}"#, Err("`argv[0]` must be a string, not a number"));
        check(
            r#"{"file":"a.rs","upto":3}"#,
            Err("read has no `upto`; it takes `file`, `from`, `whole`, `argv`"),
        );
        check(
            r#"{"file":"#,
            Err("the arguments are not JSON: EOF while parsing a value at line 1 column 8"),
        );
    }
}
