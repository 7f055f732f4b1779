//! Reading the fields of a JSON object, and naming each that is wrong.

use serde_json::{Map, Value};

use crate::problem::{FieldError, Problem};

/// The longest time to live: a week.
pub(super) const MAX_TTL_SECONDS: u64 = 7 * 24 * 60 * 60;

/// The largest integer up to which floating point holds every one: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Takes fields out of an object, collecting what is wrong with them.
pub(super) struct Fields {
    object: Map<String, Value>,
    pointer: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a body as a JSON object.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Problem> {
        Self::of_value(super::parse_json(body)?)
    }

    /// Reads a value as a JSON object.
    pub(super) fn of_value(value: Value) -> Result<Self, Problem> {
        match value {
            Value::Object(object) => Ok(Self::new(object, String::new())),
            other => Err(Problem::invalid_fields(vec![FieldError::new(
                "",
                format!("expected a JSON object, got {}", name_of(&other)),
            )])),
        }
    }

    pub(super) fn new(object: Map<String, Value>, pointer: String) -> Self {
        Self {
            object,
            pointer,
            errors: Vec::new(),
        }
    }

    /// Takes a field that must be there, read by `read`, which says what it
    /// expected where it cannot read it.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let Some(value) = self.object.shift_remove(name) else {
            self.error(name, format!("required: {expected}"));
            return None;
        };
        self.read(name, &value, read)
    }

    /// Takes a field that may be absent or null.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self
            .object
            .shift_remove(name)
            .filter(|value| !value.is_null())?;
        self.read(name, &value, read)
    }

    /// Takes a field as it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.shift_remove(name)
    }

    /// Takes all fields that are left.
    pub(super) fn take_rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.object)
    }

    /// Notes what is wrong with a field.
    pub(super) fn error(&mut self, name: &str, detail: String) {
        let pointer = format!("{}/{}", self.pointer, escape(name));
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// Takes over what was found wrong further down.
    pub(super) fn adopt(&mut self, errors: Vec<FieldError>) {
        self.errors.extend(errors);
    }

    /// Ends the reading: whatever is left in the object is unknown.
    pub(super) fn finish(mut self) -> Vec<FieldError> {
        for name in self.take_rest().keys() {
            self.error(name, "unknown field".to_owned());
        }
        self.errors
    }

    fn read<T>(
        &mut self,
        name: &str,
        value: &Value,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        read(value).map_err(|detail| self.error(name, detail)).ok()
    }
}

/// Reads a string of 1 to `most` characters.
pub(super) fn text(most: usize) -> impl FnOnce(&Value) -> Result<String, String> {
    move |value| match value {
        Value::String(text) if text.is_empty() => Err("must not be empty".to_owned()),
        Value::String(text) if text.chars().count() > most => {
            let length = text.chars().count();
            Err(format!("at most {most} characters, got {length}"))
        }
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("expected a string, got {}", name_of(other))),
    }
}

/// Reads a whole number from 1 to `most`.
pub(super) fn positive(most: u64) -> impl FnOnce(&Value) -> Result<u64, String> {
    move |value| match whole(value) {
        Some(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "expected a whole number from 1 to {most}, got {}",
            shown(value)
        )),
    }
}

/// Reads a whole number, also one that is written with a fraction of zero: to
/// JSON Schema that is an integer as well.
fn whole(value: &Value) -> Option<u64> {
    let written_with_a_fraction = || {
        let number = value.as_f64()?;
        // Beyond that, floating point skips integers.
        let is_exact = number.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&number);
        is_exact.then(|| format!("{number:.0}").parse().ok())?
    };
    value.as_u64().or_else(written_with_a_fraction)
}

/// Names a value's JSON type.
pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        other => name_of(other).to_owned(),
    }
}

/// Escapes a name for a JSON Pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
