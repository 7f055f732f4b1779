//! A document that describes an API, and what it says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::source;

/// A document. Objects in it that may get more members in later releases have
/// none here but those that are described.
pub(super) struct Document(Value);

/// An operation of an `OpenAPI` document.
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    pub(super) method: String,
    pub(super) path: &'a str,
    /// By their statuses.
    pub(super) responses: &'a Map<String, Value>,
}

impl Document {
    pub(super) fn openapi() -> Self {
        Self::read("functions/api/openapi.json")
    }

    pub(super) fn asyncapi() -> Self {
        Self::read("functions/api/asyncapi.json")
    }

    fn read(path: &str) -> Self {
        let mut document = serde_json::from_str(&source(path)).unwrap();
        close(&mut document);
        Self(document)
    }

    /// What is at a JSON pointer, or at the one that is referred to there.
    #[track_caller]
    pub(super) fn at(&self, pointer: &str) -> &Value {
        let found = self.0.pointer(pointer);
        self.resolve(found.unwrap_or_else(|| panic!("nothing at {pointer}")))
    }

    /// A value, or the one that it refers to.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.at(reference.strip_prefix('#').unwrap()),
            None => value,
        }
    }

    /// The operations of an `OpenAPI` document.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.at("/paths").as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            let methods = methods.filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, operation)| Operation {
                id: operation["operationId"].as_str().unwrap(),
                method: method.to_uppercase(),
                path,
                responses: operation["responses"].as_object().unwrap(),
            })
        })
    }

    /// What answers requests that no operation is for.
    pub(super) fn responses_to_others(&self) -> &Map<String, Value> {
        let responses = self.at("/x-any-other-request/responses");
        responses.as_object().unwrap()
    }

    /// Every code of a problem.
    pub(super) fn problem_codes(&self) -> BTreeSet<String> {
        let responses = self.at("/components/responses").as_object().unwrap();
        let contents = responses
            .values()
            .filter_map(|response| response.pointer("/content/application~1problem+json"));
        contents.flat_map(codes_of).collect()
    }

    /// Every code of an error frame.
    pub(super) fn error_codes(&self) -> BTreeSet<String> {
        let codes = self.at("/components/schemas/Error/properties/code");
        let examples = self.at("/components/messages/error/examples");
        let exemplified = examples.as_array().unwrap().iter();
        let exemplified = exemplified.map(|example| &example["payload"]["code"]);
        let exemplified: Vec<_> = exemplified.collect();
        let codes: Vec<_> = codes["enum"].as_array().unwrap().iter().collect();
        assert_eq!(codes, exemplified);
        let text = |code: &Value| code.as_str().unwrap().to_owned();
        codes.into_iter().map(text).collect()
    }

    /// Says why a value is not what a schema of this document describes.
    pub(super) fn mismatch(&self, schema: &Value, value: &Value) -> Option<String> {
        // A schema's references are relative to the document.
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let errors = validator.iter_errors(value);
        let errors: Vec<_> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        (!errors.is_empty()).then(|| format!("{value}: {}", errors.join("; ")))
    }

    /// Holds every example against its schema, and returns how many there are.
    pub(super) fn check_examples(&self) -> usize {
        self.check_examples_in(&self.0)
    }

    fn check_examples_in(&self, part: &Value) -> usize {
        let mut count = 0;
        for example in examples_of(part) {
            let schema = part.get("schema").or(part.get("payload"));
            if let Some(mismatch) = self.mismatch(schema.unwrap(), example) {
                panic!("{mismatch}");
            }
            count += 1;
        }
        let within: usize = match part {
            Value::Object(members) => members.values().map(|v| self.check_examples_in(v)).sum(),
            Value::Array(items) => items.iter().map(|v| self.check_examples_in(v)).sum(),
            _ => 0,
        };
        count + within
    }
}

/// The codes of the problems that a content may be.
pub(super) fn codes_of(content: &Value) -> Vec<String> {
    let code = &content["schema"]["properties"]["code"];
    let codes = match code["enum"].as_array() {
        Some(codes) => codes.clone(),
        None => vec![code["const"].clone()],
    };
    let exemplified = content["examples"].as_object().unwrap().keys();
    assert!(exemplified.eq(codes.iter().map(|code| code.as_str().unwrap())));
    let text = |code: Value| code.as_str().unwrap().to_owned();
    codes.into_iter().map(text).collect()
}

/// The examples of a content or parameter of `OpenAPI`, or of a message of
/// `AsyncAPI`.
fn examples_of(part: &Value) -> Vec<&Value> {
    if part.get("payload").is_some() {
        let examples = part["examples"].as_array().into_iter().flatten();
        return examples.map(|example| &example["payload"]).collect();
    }
    if part.get("schema").is_none() {
        return Vec::new();
    }
    let many = part.get("examples").and_then(Value::as_object);
    let many = many.into_iter().flat_map(Map::values);
    let many = many.map(|example| &example["value"]);
    part.get("example").into_iter().chain(many).collect()
}

/// Lets the objects that a schema describes have no other members.
fn close(part: &mut Value) {
    match part {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            let is_described =
                members.get("type") == Some(&json!("object")) && members.contains_key("properties");
            if is_described {
                members
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
