use serde::{Serialize, Serializer};

/// A JSON object whose members keep the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<(&'static str, Value)>);

/// What a member can be.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Flag(bool),
    Number(i32),
    Text(String),
    List(Vec<Value>),
    Object(Object),
}

impl Object {
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a member if there is a value for it.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list unless it is empty.
    pub(super) fn with_list(self, name: &'static str, values: Vec<impl Into<Value>>) -> Self {
        match values.is_empty() {
            true => self,
            false => self.with(name, Value::List(values.into_iter().map(Into::into).collect())),
        }
    }

    /// Adds an object unless it is empty.
    pub(super) fn with_object(self, name: &'static str, object: Self) -> Self {
        match object.0.is_empty() {
            true => self,
            false => self.with(name, object),
        }
    }

    /// The object as JSON with an indentation of two spaces.
    #[expect(
        clippy::expect_used,
        reason = "only a key that is no text could fail, and all keys are"
    )]
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an object with text keys")
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}
