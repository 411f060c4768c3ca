//! Looks into events tolerantly: what we do not need may be missing or strange.

use protocol::{ItemId, ResponseId};
use serde_json::{Map, Value};

use super::DecodeError;

/// One event that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) kind: &'a str,
    pub(crate) map: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.map.get(field)?.as_str()
    }

    pub(crate) fn owned(&self, field: &'static str) -> Result<String, DecodeError> {
        self.text(field).map(str::to_owned).ok_or_else(|| self.lacks(field))
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.map.get(field)?.as_u64()
    }

    pub(crate) fn object(&self, field: &str) -> Option<&'a Map<String, Value>> {
        self.map.get(field)?.as_object()
    }

    pub(crate) fn item_id(&self) -> Option<ItemId> {
        self.text("item_id").map(ItemId::from)
    }

    /// `session.id`, where newer services put it.
    pub(crate) fn session_id(&self) -> Option<String> {
        self.object("session")?.get("id")?.as_str().map(str::to_owned)
    }

    /// From the response object, else beside it.
    pub(crate) fn response_id(&self) -> Option<ResponseId> {
        let inner = self.object("response").and_then(|it| it.get("id")).and_then(Value::as_str);
        inner.or_else(|| self.text("response_id")).map(ResponseId::from)
    }

    pub(crate) fn lacks(&self, field: &'static str) -> DecodeError {
        DecodeError::Field { kind: self.kind.to_owned(), field }
    }
}

pub(crate) fn text<'a>(map: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    map.get(field)?.as_str()
}
