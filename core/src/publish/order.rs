//! The book order: the example that `POST /orders` takes.

use serde_json::json;

use super::fields::{Fields, positive, text};
use crate::notification::{Draft, Target};
use crate::problem::Problem;
use crate::topic::{MAX_TOPIC_LENGTH, Topic};

const EVENT_TYPE: &str = "book.ordered";
const MAX_TITLE_LENGTH: usize = 500;
/// What the topic of a merchant begins with.
const MERCHANT: &str = "merchant:";
/// The longest id of a merchant, in characters: its topic is a topic's name.
const MAX_MERCHANT_ID_LENGTH: usize = MAX_TOPIC_LENGTH - MERCHANT.len();
const MAX_QUANTITY: u64 = 1_000_000;
/// The largest integer that JavaScript's numbers hold exactly: what is beyond
/// would reach a browser as another book.
const MAX_BOOK_ID: u64 = (1 << 53) - 1;

/// Reads an order: `bookId`, `title`, `quantity` and optionally `merchantId`,
/// which sends it to the topic `merchant:<id>` instead of to everyone.
///
/// # Errors
/// A problem that names every field that is wrong.
pub fn parse(body: &[u8]) -> Result<Draft, Problem> {
    let mut fields = Fields::of_body(body)?;
    let book_id = fields.required(
        "bookId",
        "the book's id, a whole number",
        positive(MAX_BOOK_ID),
    );
    let title = fields.required(
        "title",
        "the book's title, a string",
        text(MAX_TITLE_LENGTH),
    );
    let quantity = fields.required(
        "quantity",
        "how many copies, a whole number",
        positive(MAX_QUANTITY),
    );
    let merchant = fields.optional("merchantId", |value| {
        let id = text(MAX_MERCHANT_ID_LENGTH)(value)?;
        let topic: Topic = format!("{MERCHANT}{id}")
            .parse()
            .map_err(|error| format!("cannot be a topic: {error}"))?;
        Ok((id, topic))
    });
    let errors = fields.finish();
    let (Some(book_id), Some(title), Some(quantity), true) =
        (book_id, title, quantity, errors.is_empty())
    else {
        return Err(Problem::invalid_fields(errors));
    };
    let mut data = json!({"bookId": book_id, "title": title, "quantity": quantity});
    let target = match merchant {
        None => Target::Everyone,
        Some((id, topic)) => {
            if let Some(data) = data.as_object_mut() {
                data.insert("merchantId".to_owned(), id.into());
            }
            Target::Topic { topic }
        }
    };
    Ok(Draft::new(EVENT_TYPE, target, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(body: &str, status: u16, expected: &[(&str, &str)]) {
        let problem = parse(body.as_bytes()).unwrap_err();
        let errors: Vec<_> = problem
            .errors
            .iter()
            .map(|error| (error.pointer.as_str(), error.detail.as_str()))
            .collect();
        assert_eq!(
            (problem.status, errors.as_slice()),
            (status, expected),
            "{body}"
        );
    }

    #[test]
    fn an_order_is_for_everyone() {
        let body = br#"{"bookId":123,"title":"The Pragmatic Programmer","quantity":1}"#;
        let draft = parse(body).unwrap();
        assert_eq!(draft.event_type, "book.ordered");
        assert_eq!(draft.target, Target::Everyone);
        let expected = json!({"bookId": 123, "title": "The Pragmatic Programmer", "quantity": 1});
        assert_eq!(draft.data, Some(expected));
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_zero() {
        let draft = parse(br#"{"bookId":123.0,"title":"T","quantity":1e2}"#).unwrap();
        let data = draft.data.unwrap();
        assert_eq!(
            (&data["bookId"], &data["quantity"]),
            (&json!(123), &json!(100))
        );
        check_refused(
            r#"{"bookId":1.5,"title":"T","quantity":1}"#,
            422,
            &[(
                "/bookId",
                "expected a whole number from 1 to 9007199254740991, got 1.5",
            )],
        );
    }

    #[test]
    fn an_order_at_a_merchant_is_for_its_topic() {
        let body = br#"{"bookId":1,"title":"T","quantity":1,"merchantId":"42"}"#;
        let draft = parse(body).unwrap();
        let topic = "merchant:42".parse().unwrap();
        assert_eq!(draft.target, Target::Topic { topic });
        assert_eq!(draft.data.unwrap()["merchantId"], json!("42"));
    }

    #[test]
    fn a_merchants_id_is_as_long_as_a_topic_allows() {
        let body = |length: usize| {
            let id = "m".repeat(length);
            format!(r#"{{"bookId":1,"title":"T","quantity":1,"merchantId":"{id}"}}"#)
        };
        assert!(parse(body(119).as_bytes()).is_ok());
        let detail = "at most 119 characters, got 120";
        check_refused(&body(120), 422, &[("/merchantId", detail)]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        check_refused(
            r#"{"bookId":"123","title":"","quantity":0,"merchantId":"a b","a/b":1}"#,
            422,
            &[
                (
                    "/bookId",
                    "expected a whole number from 1 to 9007199254740991, got a string",
                ),
                ("/title", "must not be empty"),
                (
                    "/quantity",
                    "expected a whole number from 1 to 1000000, got 0",
                ),
                (
                    "/merchantId",
                    "cannot be a topic: a topic's name is made of letters, digits and . _ - : /, got ' '",
                ),
                ("/a~1b", "unknown field"),
            ],
        );
        check_refused(
            "{}",
            422,
            &[
                ("/bookId", "required: the book's id, a whole number"),
                ("/title", "required: the book's title, a string"),
                ("/quantity", "required: how many copies, a whole number"),
            ],
        );
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        check_refused("", 400, &[]);
        check_refused("{", 400, &[]);
        check_refused("[]", 422, &[("", "expected a JSON object, got an array")]);
        check_refused("null", 422, &[("", "expected a JSON object, got null")]);
    }
}
