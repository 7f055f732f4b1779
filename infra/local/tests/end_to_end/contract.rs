//! What the documents under `functions/api` say, and what the stack does: each
//! answer and frame is held against them, and each of theirs is produced.

mod document;
mod http;
mod socket;

use std::collections::BTreeSet;
use std::path::Path;

use self::document::Document;

/// Reads a file of the repository.
fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The string literals of a source text, in their order.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').skip(1).step_by(2)
}

/// What follows `start` in a source text, up to `end`.
fn section<'a>(source: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = source.split_once(start).expect(start);
    rest.split_once(end).expect(end).0
}

#[test]
fn the_routes_in_the_code_are_those_in_the_document() {
    let code = source("functions/src/publish/routes.rs");
    let variants = section(&code, "enum Route {", "\n}");
    let in_code: BTreeSet<_> = variants
        .split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect();
    let document = Document::openapi();
    let documented: BTreeSet<_> = document
        .operations()
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .collect();
    assert_eq!(in_code, documented);
}

#[test]
fn the_problem_codes_in_the_code_are_those_in_the_document() {
    let code = source("core/src/problem.rs");
    // Each is the second argument of a constructor, after the status.
    let in_code: BTreeSet<_> = code
        .split("Self::new(")
        .skip(1)
        .filter(|arguments| arguments.trim_start().starts_with(char::is_numeric))
        .filter_map(|arguments| literals(arguments).next())
        .map(ToOwned::to_owned)
        .collect();
    assert!(in_code.len() > 10, "{in_code:?}");
    assert_eq!(in_code, Document::openapi().problem_codes());
}

#[test]
fn the_error_codes_in_the_code_are_those_in_the_document() {
    let code = source("core/src/action/error.rs");
    let code = section(&code, "pub fn code(&self)", "\n    }");
    let in_code: BTreeSet<_> = literals(code).map(ToOwned::to_owned).collect();
    assert_eq!(in_code, Document::asyncapi().error_codes());
}

#[test]
fn every_example_is_what_its_schema_describes() {
    for document in [Document::openapi(), Document::asyncapi()] {
        assert!(document.check_examples() > 20);
    }
}
