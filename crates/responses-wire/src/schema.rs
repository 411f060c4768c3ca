//! Shapes of tool arguments as JSON Schema.

use protocol::{Property, Schema};
use serde_json::{Map, Value, json};

/// An object schema with these properties, in their order, and no others.
pub fn json_schema(properties: &[Property]) -> Value {
    let mut shapes = Map::new();
    let mut required = Vec::new();
    for Property { name, description, schema, required: is_required } in properties {
        let mut shape = render(schema);
        if let (Value::Object(shape), false) = (&mut shape, description.is_empty()) {
            shape.insert("description".into(), description.clone().into());
        }
        shapes.insert(name.clone(), shape);
        if *is_required {
            required.push(name.clone());
        }
    }
    json!({
        "type": "object",
        "properties": shapes,
        "required": required,
        "additionalProperties": false,
    })
}

fn render(schema: &Schema) -> Value {
    match schema {
        Schema::Object(properties) => json_schema(properties),
        // The bound is for the bundled model's grammar; a service's model needs none.
        Schema::Text { max_chars: _ } => json!({ "type": "string" }),
        Schema::Choice(choices) => json!({ "type": "string", "enum": choices }),
        Schema::Integer { min, max } => {
            let mut shape = json!({ "type": "integer" });
            if let Some(min) = min {
                shape["minimum"] = json!(min);
            }
            if let Some(max) = max {
                shape["maximum"] = json!(max);
            }
            shape
        }
        Schema::Boolean => json!({ "type": "boolean" }),
        Schema::List(items) => json!({ "type": "array", "items": render(items) }),
    }
}
