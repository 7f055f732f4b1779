//! Messages and their attributes as JSON.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use crate::message::{Attribute, AttributeValue, Attributes};

/// User-defined or system attributes, by name.
pub(super) type JsonAttributes = BTreeMap<String, JsonAttribute>;

/// One attribute: a text, or binary data in base64.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct JsonAttribute {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<String>,
    #[serde(default, skip_serializing)]
    string_list_values: Vec<String>,
    #[serde(default, skip_serializing)]
    binary_list_values: Vec<String>,
    #[serde(default)]
    pub(super) data_type: String,
}

/// Reads user-defined attributes.
pub(super) fn parse_attributes(json: JsonAttributes) -> Result<Attributes, ApiError> {
    let parse = |(name, json): (String, JsonAttribute)| {
        let attribute = json.parse(&name)?;
        Ok((name, attribute))
    };
    json.into_iter().map(parse).collect()
}

impl JsonAttribute {
    fn parse(self, name: &str) -> Result<Attribute, ApiError> {
        if !self.string_list_values.is_empty() || !self.binary_list_values.is_empty() {
            let message =
                "Message attribute list values in SendMessage operation are not supported.";
            return Err(ApiError::unsupported(message));
        }
        let value = match (self.string_value, self.binary_value) {
            (Some(text), None) => Some(AttributeValue::Text(text)),
            (None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded).ok();
                bytes.map(|bytes| AttributeValue::Binary(bytes.into()))
            }
            (None, None) | (Some(_), Some(_)) => None,
        };
        let reason = || format!("The message attribute '{name}' must contain one value.");
        Ok(Attribute {
            data_type: self.data_type,
            value: value.ok_or_else(|| ApiError::invalid_parameter(reason()))?,
        })
    }
}

impl From<&Attribute> for JsonAttribute {
    fn from(attribute: &Attribute) -> Self {
        let (string_value, binary_value) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            string_value,
            binary_value,
            data_type: attribute.data_type.clone(),
            ..Self::default()
        }
    }
}
