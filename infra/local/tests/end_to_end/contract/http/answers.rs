//! Answers of the HTTP API, held against its document.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Map, Value, json};

use crate::contract::document::{Document, codes_of};
use crate::stack::{Answer, Stack};

/// What no operation is for.
const OTHER: &str = "any other request";

/// An answer: an operation, a status, and the problem's code or, of anything
/// else, the content type.
pub(super) type Seen = (String, String, String);

/// Holds answers against the document, and remembers them.
pub(super) struct Contract {
    document: Document,
    pub(super) seen: BTreeSet<Seen>,
}

impl Contract {
    pub(super) fn new() -> Self {
        Self {
            document: Document::openapi(),
            seen: BTreeSet::new(),
        }
    }

    /// Requests an operation.
    pub(super) async fn call(
        &mut self,
        stack: &Stack,
        id: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let method = self.method_of(id);
        let answer = stack.request_with(&method, path, headers, body).await;
        self.check(id, &answer);
        answer
    }

    /// Requests an operation, several times at once, until one of the answers
    /// has this status.
    pub(super) async fn call_until(
        &mut self,
        stack: &Stack,
        id: &str,
        path: &str,
        body: &str,
        status: u16,
    ) {
        let method = self.method_of(id);
        let mut is_given = false;
        while !is_given {
            let calling = (0..4).map(|_| stack.request(&method, path, body));
            for answer in join_all(calling).await {
                self.check(id, &answer);
                is_given |= answer.status == status;
            }
        }
    }

    fn method_of(&self, id: &str) -> String {
        let operation = self.document.operations().find(|found| found.id == id);
        operation.expect(id).method
    }

    /// Requests something that no operation is for.
    pub(super) async fn call_other(
        &mut self,
        stack: &Stack,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = stack.request_with(method, path, headers, "").await;
        self.check(OTHER, &answer);
        answer
    }

    fn responses(&self, id: &str) -> &Map<String, Value> {
        let operation = self.document.operations().find(|found| found.id == id);
        match operation {
            Some(operation) => operation.responses,
            None => self.document.responses_to_others(),
        }
    }

    #[track_caller]
    pub(super) fn check(&mut self, id: &str, answer: &Answer) {
        let status = answer.status.as_str();
        let response = self.responses(id).get(status);
        let response = response.unwrap_or_else(|| panic!("{id} answers {answer:?}"));
        let response = self.document.resolve(response);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            self.check_header(name, header, answer);
        }
        let content_type = answer.headers.get("content-type");
        let content_type = content_type.map_or("", |value| value.to_str().unwrap());
        let mut kinds = vec![content_type.to_owned()];
        if response["content"].is_object() {
            let content = &response["content"][content_type];
            assert!(content.is_object(), "{id} answers {answer:?}");
            if let Some(mismatch) = self.document.mismatch(&content["schema"], &answer.body) {
                panic!("{id} answers {mismatch}");
            }
            if content_type == "application/problem+json" {
                assert_eq!(answer.body["status"], answer.status.as_u16());
                kinds.clear();
            }
            kinds.extend(codes_in(&answer.body));
        } else {
            assert_eq!((content_type, &answer.body), ("", &Value::Null));
        }
        for kind in kinds {
            self.seen.insert((id.to_owned(), status.to_owned(), kind));
        }
    }

    #[track_caller]
    fn check_header(&self, name: &str, header: &Value, answer: &Answer) {
        let header = self.document.resolve(header);
        let Some(value) = answer.headers.get(name) else {
            // Ours have it; those of API Gateway itself need not.
            assert_eq!(header["required"], false, "no {name}: {answer:?}");
            return;
        };
        let text = value.to_str().unwrap();
        let value = match header["schema"]["type"].as_str() {
            Some("integer") => json!(text.parse::<i64>().unwrap()),
            _ => json!(text),
        };
        if let Some(mismatch) = self.document.mismatch(&header["schema"], &value) {
            panic!("{name}: {mismatch}");
        }
    }

    /// Everything that the document says there is.
    pub(super) fn documented(&self) -> BTreeSet<Seen> {
        let operations = self.document.operations();
        let mut all: Vec<_> = operations
            .map(|found| (found.id, found.responses))
            .collect();
        all.push((OTHER, self.document.responses_to_others()));
        let mut documented = BTreeSet::new();
        for (id, responses) in all {
            for (status, response) in responses {
                for kind in self.kinds(self.document.resolve(response)) {
                    documented.insert((id.to_owned(), status.clone(), kind));
                }
            }
        }
        documented
    }

    fn kinds(&self, response: &Value) -> Vec<String> {
        let Some(contents) = response["content"].as_object() else {
            return vec![String::new()];
        };
        let kinds =
            contents
                .iter()
                .flat_map(|(content_type, content)| match content_type.as_str() {
                    "application/problem+json" => codes_of(content),
                    other => vec![other.to_owned()],
                });
        let mut kinds: Vec<_> = kinds.collect();
        if contents
            .values()
            .any(|content| content["schema"]["$ref"] == "#/components/schemas/BatchResults")
        {
            let codes = self
                .document
                .at("/components/schemas/BatchRefused/properties/code/enum");
            let codes = codes.as_array().unwrap().iter();
            kinds.extend(codes.map(|code| code.as_str().unwrap().to_owned()));
        }
        kinds
    }
}

/// The codes of a problem, or of the problems in a batch's results.
fn codes_in(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().into_iter().flatten();
    let documents = std::iter::once(body).chain(results);
    let codes = documents.filter_map(|document| document["code"].as_str());
    codes.map(ToOwned::to_owned).collect()
}
