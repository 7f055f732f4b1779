//! What makes two runs hard to compare.

use serde::Serialize;
use serde_json::Value;

use crate::{exit::Outcome, report::Document};

/// A line for each setting and each part of the machine that differs, and for a
/// run that did not end by itself.
pub(super) fn warnings(a: &Document, b: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, document) in [("a", a), ("b", b)] {
        match document.outcome {
            Outcome::Interrupted => warnings.push(format!("{name} was interrupted")),
            Outcome::Unreachable => warnings.push(format!("{name} measured nothing")),
            Outcome::Complete | Outcome::Missing | Outcome::NoLedger => {}
        }
    }
    differ("settings", &a.settings, &b.settings, &mut warnings);
    differ("machines", &a.machine, &b.machine, &mut warnings);
    differ("tools", &a.tool, &b.tool, &mut warnings);
    warnings
}

fn differ<T: Serialize>(what: &str, a: &T, b: &T, warnings: &mut Vec<String>) {
    let (Ok(Value::Object(a)), Ok(Value::Object(b))) =
        (serde_json::to_value(a), serde_json::to_value(b))
    else {
        return;
    };
    for (name, a) in a {
        let b = b.get(&name).unwrap_or(&Value::Null);
        if a != *b {
            warnings.push(format!("the {what} differ: {name} is {a} and {b}"));
        }
    }
}
