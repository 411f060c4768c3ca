//! JSON Schema of a function's arguments, as far as models are held to it.

use protocol::{Property, Schema};
use serde_json::Value;

/// Schemas nest, and strangers write them.
const DEEPEST: usize = 8;

/// The parameters of a function. What cannot be said in [`Schema`] is free text.
pub(super) fn properties(schema: &Value) -> Vec<Property> {
    properties_at(schema, 0)
}

fn properties_at(schema: &Value, depth: usize) -> Vec<Property> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Vec::new() };
    let required: Vec<&str> = match schema.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    let property = |(name, schema): (&String, &Value)| Property {
        name: name.clone(),
        description: text(schema, "description").unwrap_or_default().to_owned(),
        schema: schema_at(schema, depth + 1),
        required: required.contains(&name.as_str()),
    };
    properties.iter().map(property).collect()
}

fn schema_at(schema: &Value, depth: usize) -> Schema {
    let free_text = Schema::Text { max_chars: None };
    if DEEPEST < depth {
        return free_text;
    }
    if let Some(Value::Array(options)) = schema.get("enum") {
        let options: Vec<String> =
            options.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if !options.is_empty() {
            return Schema::Choice(options);
        }
    }
    match kind(schema) {
        Some("string") => {
            let most = schema.get("maxLength").and_then(Value::as_u64);
            Schema::Text { max_chars: most.and_then(|it| u32::try_from(it).ok()) }
        }
        Some("integer") => {
            let bound = |name| schema.get(name).and_then(Value::as_i64);
            Schema::Integer { min: bound("minimum"), max: bound("maximum") }
        }
        Some("boolean") => Schema::Boolean,
        Some("array") => {
            let of = schema.get("items").map_or(free_text, |it| schema_at(it, depth + 1));
            Schema::List(Box::new(of))
        }
        Some("object") => Schema::Object(properties_at(schema, depth)),
        Some(_) | None => free_text,
    }
}

/// `"type": "string"`, or the first that is not null of `"type": ["string", "null"]`.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|it| *it != "null"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn text<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_keep_their_shape() {
        let schema = json!({
            "type": "object",
            "properties": {
                "prompt": { "type": "string", "description": "what to do", "maxLength": 80 },
                "unit": { "enum": ["C", "F"] },
                "days": { "type": ["null", "integer"], "minimum": 1, "maximum": 9 },
                "exact": { "type": "boolean" },
                "places": { "type": "array", "items": { "type": "string" } },
                "where": { "type": "object", "properties": { "x": { "type": "number" } } },
                "odd": 7,
            },
            "required": ["prompt", "unit", 3],
        });
        let text = Schema::Text { max_chars: None };
        let expected = [
            Property::required("prompt", "what to do", Schema::Text { max_chars: Some(80) }),
            Property::required("unit", "", Schema::Choice(vec!["C".into(), "F".into()])),
            Property::optional("days", "", Schema::Integer { min: Some(1), max: Some(9) }),
            Property::optional("exact", "", Schema::Boolean),
            Property::optional("places", "", Schema::List(Box::new(text.clone()))),
            Property::optional(
                "where",
                "",
                Schema::Object(vec![Property::optional("x", "", text.clone())]),
            ),
            Property::optional("odd", "", text),
        ];
        assert_eq!(properties(&schema), expected);
    }

    #[test]
    fn nonsense_has_no_parameters_and_a_deep_one_ends() {
        for nonsense in [json!(null), json!([]), json!({ "properties": [1] })] {
            assert_eq!(properties(&nonsense), []);
        }
        let mut deep = json!({ "type": "string" });
        for _ in 0..100 {
            deep = json!({ "type": "object", "properties": { "in": deep } });
        }
        assert_eq!(properties(&deep).len(), 1);
    }
}
