//! What a message carries: a body and attributes, checked as SQS checks them.
//!
//! Rules and limits are those of [SendMessage] and of [message metadata].
//!
//! [SendMessage]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
//! [message metadata]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use md5::{Digest, Md5};

/// The most attributes that one message can carry.
pub const MAX_ATTRIBUTES: usize = 10;

/// The user-defined attributes of a message, by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// A message as it was sent: immutable, and shared by all of its deliveries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    body: String,
    attributes: Attributes,
    /// The `AWSTraceHeader` system attribute.
    pub trace_header: Option<String>,
    /// The `MessageGroupId` of a fair queue; kept, but without effect here.
    pub group_id: Option<String>,
    /// The `SenderId` system attribute: who called the service.
    pub sender_id: Option<String>,
}

/// One user-defined attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional label after a dot.
    pub data_type: String,
    /// What it holds.
    pub value: AttributeValue,
}

/// The value of a user-defined attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AttributeValue {
    /// The value of a `String` or a `Number`.
    Text(String),
    /// The value of a `Binary`.
    Binary(Bytes),
}

/// An MD5 digest, displayed as 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Md5Digest([u8; 16]);

/// Why a message is not one that SQS takes.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidMessage {
    /// The body is empty.
    #[error("the message body is empty")]
    EmptyBody,
    /// A text holds a character outside the allowed set.
    #[error("character U+{:04X} is not allowed in a message", u32::from(*.0))]
    Character(char),
    /// There are more attributes than [`MAX_ATTRIBUTES`].
    #[error("{0} message attributes, where at most {MAX_ATTRIBUTES} are allowed")]
    TooManyAttributes(usize),
    /// An attribute has a name that is not allowed.
    #[error("message attribute name {0:?} is invalid")]
    AttributeName(String),
    /// An attribute has a type that is not allowed, or that its value is not of.
    #[error("message attribute {name:?} has the invalid type {data_type:?}")]
    AttributeType {
        /// The attribute's name.
        name: String,
        /// The type that was given.
        data_type: String,
    },
    /// An attribute has no value, or a `Number` is not one.
    #[error("message attribute {0:?} has an invalid value")]
    AttributeValue(String),
}

impl Message {
    /// Makes a message with a body alone.
    ///
    /// # Errors
    /// When the body is empty or holds a character that SQS refuses.
    pub fn new(body: impl Into<String>) -> Result<Self, InvalidMessage> {
        Self::with_attributes(body, Attributes::new())
    }

    /// Makes a message with a body and attributes.
    ///
    /// # Errors
    /// When the body or an attribute is not one that SQS takes.
    pub fn with_attributes(
        body: impl Into<String>,
        attributes: Attributes,
    ) -> Result<Self, InvalidMessage> {
        let body = body.into();
        if body.is_empty() {
            return Err(InvalidMessage::EmptyBody);
        }
        check_characters(&body)?;
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(InvalidMessage::TooManyAttributes(attributes.len()));
        }
        for (name, attribute) in &attributes {
            attribute.check(name)?;
        }
        Ok(Self {
            body,
            attributes,
            trace_header: None,
            group_id: None,
            sender_id: None,
        })
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The user-defined attributes, by name.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// How many bytes count towards the limits: the body, and the name, type
    /// and value of every attribute.
    #[must_use]
    pub fn size(&self) -> usize {
        let attributes = self.attributes.iter();
        let sizes = attributes.map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value.as_bytes().len()
        });
        self.body.len() + sizes.sum::<usize>()
    }

    /// The digest of the body, which SQS sends as `MD5OfMessageBody`.
    #[must_use]
    pub fn body_md5(&self) -> Md5Digest {
        Md5Digest(Md5::digest(&self.body).into())
    }

    /// The digest of all attributes, or nothing where there are none.
    #[must_use]
    pub fn attributes_md5(&self) -> Option<Md5Digest> {
        attributes_md5(&self.attributes)
    }
}

/// Computes the digest that SQS sends as `MD5OfMessageAttributes`: over the
/// attributes by name, each as name, type, a byte for the kind of value (1
/// text, 2 binary), and value, with lengths as four bytes, big-endian. Nothing
/// for no attributes.
///
/// Source: "Calculating the MD5 message digest for message attributes" in
/// [message metadata](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html).
pub fn attributes_md5<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<Md5Digest> {
    let mut digest = Md5::new();
    let mut is_empty = true;
    for (name, attribute) in attributes {
        is_empty = false;
        add_sized(&mut digest, name.as_bytes());
        add_sized(&mut digest, attribute.data_type.as_bytes());
        digest.update([match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        }]);
        add_sized(&mut digest, attribute.value.as_bytes());
    }
    (!is_empty).then(|| Md5Digest(digest.finalize().into()))
}

fn add_sized(digest: &mut Md5, bytes: &[u8]) {
    // No part is longer than a message, which is far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

impl Attribute {
    fn check(&self, name: &str) -> Result<(), InvalidMessage> {
        if !is_attribute_name(name) {
            return Err(InvalidMessage::AttributeName(name.to_owned()));
        }
        let logical_type = self.data_type.split('.').next().unwrap_or_default();
        let is_of_type = match &self.value {
            AttributeValue::Text(_) => matches!(logical_type, "String" | "Number"),
            AttributeValue::Binary(_) => logical_type == "Binary",
        };
        if !is_of_type || self.data_type.len() > 256 {
            return Err(InvalidMessage::AttributeType {
                name: name.to_owned(),
                data_type: self.data_type.clone(),
            });
        }
        if let AttributeValue::Text(text) = &self.value {
            check_characters(text)?;
            let is_number = || text.parse::<f64>().is_ok_and(f64::is_finite);
            if logical_type == "Number" && !is_number() {
                return Err(InvalidMessage::AttributeValue(name.to_owned()));
            }
        }
        if self.value.as_bytes().is_empty() {
            return Err(InvalidMessage::AttributeValue(name.to_owned()));
        }
        Ok(())
    }
}

impl AttributeValue {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl fmt::Display for Md5Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether `name` has 1 to 256 letters, digits, `_`, `-` and single inner
/// dots, and does not begin with a prefix that AWS reserves.
fn is_attribute_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let is_word = |word: &str| {
        let mut characters = word.chars();
        !word.is_empty() && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    name.len() <= 256 && !is_reserved && name.split('.').all(is_word)
}

/// Checks that `text` holds only the characters that SQS takes: tab, line
/// feed, carriage return, and U+0020 upwards but for U+FFFE and U+FFFF.
fn check_characters(text: &str) -> Result<(), InvalidMessage> {
    let is_refused = |c: &char| match c {
        '\t' | '\n' | '\r' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        c => *c < ' ',
    };
    match text.chars().find(is_refused) {
        Some(character) => Err(InvalidMessage::Character(character)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
