//! The shapes of tool arguments: the part of JSON Schema that tools use.
//!
//! Kept as data rather than as JSON text because it is rendered twice: as JSON Schema for
//! services, and as a grammar for the bundled model.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    Object(Vec<Property>),
    /// Free text. `max_chars` bounds what the bundled model may write.
    Text {
        max_chars: Option<u32>,
    },
    /// One of these strings, never empty.
    Choice(Vec<String>),
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    Boolean,
    List(Box<Schema>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub description: String,
    pub schema: Schema,
    pub required: bool,
}

impl Property {
    pub fn required(name: &str, description: &str, schema: Schema) -> Self {
        Self { name: name.into(), description: description.into(), schema, required: true }
    }

    pub fn optional(name: &str, description: &str, schema: Schema) -> Self {
        Self { name: name.into(), description: description.into(), schema, required: false }
    }
}
