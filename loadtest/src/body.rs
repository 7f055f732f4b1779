//! What is published: a text with places for what differs between
//! notifications.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::mark::Mark;

/// What `--help` says about the places.
pub const PLACES: &str = "{number} (from 1), {sequence} (from 0), {intended} (the intended send, in microseconds of the \
     machine's monotonic clock), {run}, {mark} (all of these in one word), {topic}, {padding}";

/// The body of every publish of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    kind: BodyKind,
    pieces: Vec<Piece>,
    bytes: Option<usize>,
}

/// Whose words a body is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// The order of a book.
    BookOrder,
    /// The general form of a notification.
    Notification,
    /// As it was given.
    Given,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Number,
    Sequence,
    Intended,
    Run,
    Mark,
    Topic,
    Padding,
}

const NAMES: [(&str, Place); 7] = [
    ("{number}", Place::Number),
    ("{sequence}", Place::Sequence),
    ("{intended}", Place::Intended),
    ("{run}", Place::Run),
    ("{mark}", Place::Mark),
    ("{topic}", Place::Topic),
    ("{padding}", Place::Padding),
];

impl Body {
    /// The order of a book that everybody hears of, its title being the mark.
    #[must_use]
    pub fn book_order() -> Self {
        let text = r#"{"bookId":{number},"title":"{mark}","quantity":1}"#;
        Self::of_kind(BodyKind::BookOrder, text)
    }

    /// The general form of a notification, to everyone.
    #[must_use]
    pub fn to_everyone() -> Self {
        Self::of_kind(
            BodyKind::Notification,
            r#"{"type":"loadtest.sent","data":{"mark":"{mark}","padding":"{padding}"},"target":"everyone"}"#,
        )
    }

    /// The general form of a notification, to its topic.
    #[must_use]
    pub fn to_topic() -> Self {
        Self::of_kind(
            BodyKind::Notification,
            r#"{"type":"loadtest.sent","data":{"mark":"{mark}","padding":"{padding}"},"target":{"topic":"{topic}"}}"#,
        )
    }

    /// A text in which [`PLACES`] are filled in. Other braces are left as they
    /// are.
    #[must_use]
    pub fn template(text: &str) -> Self {
        Self::of_kind(BodyKind::Given, text)
    }

    /// Pads every body to this size, where `{padding}` is. A body that is
    /// longer without padding stays as long as it is.
    ///
    /// # Errors
    /// [`NoPadding`] if there is no place for it.
    pub fn padded_to(mut self, bytes: usize) -> Result<Self, NoPadding> {
        if !self.has(Place::Padding) {
            return Err(NoPadding);
        }
        self.bytes = Some(bytes);
        Ok(self)
    }

    /// Whose words it is in.
    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        self.kind
    }

    /// Whether notifications of different topics differ.
    #[must_use]
    pub fn names_topic(&self) -> bool {
        self.has(Place::Topic)
    }

    /// Whether frames can be told by the mark they carry.
    #[must_use]
    pub fn carries_mark(&self) -> bool {
        self.has(Place::Mark)
    }

    /// The body of one notification.
    #[must_use]
    pub fn of(&self, mark: &Mark, topic: Option<&str>) -> Bytes {
        let fill = |padding: &str| -> String {
            let filled = self.pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Place(Place::Number) => mark.sequence.saturating_add(1).to_string(),
                Piece::Place(Place::Sequence) => mark.sequence.to_string(),
                Piece::Place(Place::Intended) => mark.intended.as_micros().to_string(),
                Piece::Place(Place::Run) => mark.run.to_string(),
                Piece::Place(Place::Mark) => mark.to_string(),
                Piece::Place(Place::Topic) => topic.unwrap_or_default().to_owned(),
                Piece::Place(Place::Padding) => padding.to_owned(),
            });
            filled.collect()
        };
        let short = fill("");
        let lacking = self.bytes.unwrap_or(0).saturating_sub(short.len());
        if lacking == 0 {
            return Bytes::from(short);
        }
        Bytes::from(fill(&"x".repeat(lacking)))
    }

    fn of_kind(kind: BodyKind, text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, name, place)) = next_place(rest) {
            let (before, from) = rest.split_at(at);
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Place(place));
            rest = from.strip_prefix(name).unwrap_or_default();
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Self {
            kind,
            pieces,
            bytes: None,
        }
    }

    fn has(&self, place: Place) -> bool {
        self.pieces.contains(&Piece::Place(place))
    }
}

/// A body of a given size has no place where padding could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body has no {{padding}} to fill")]
pub struct NoPadding;

fn next_place(text: &str) -> Option<(usize, &'static str, Place)> {
    let found = NAMES
        .iter()
        .filter_map(|&(name, place)| Some((text.find(name)?, name, place)));
    found.min_by_key(|&(at, _, _)| at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn filled(body: &Body) -> String {
        let mark = Mark {
            run: "3fa9c2d1".parse().unwrap(),
            machine: 1,
            sequence: 6,
            intended: Duration::from_micros(1_500),
        };
        String::from_utf8(body.of(&mark, Some("news")).to_vec()).unwrap()
    }

    #[test]
    fn places_are_filled_and_other_braces_are_left() {
        let body = Body::template(
            r#"{"n":{number},"s":{sequence},"{x}":"{run} {intended} {mark}","to":"{topic}"}"#,
        );
        assert_eq!(
            filled(&body),
            r#"{"n":7,"s":6,"{x}":"3fa9c2d1 1500 flt1-3fa9c2d1-00000001-6-1500","to":"news"}"#
        );
        assert_eq!(filled(&Body::template("")), "");
    }

    #[test]
    fn bodies_of_our_own_are_json_and_carry_the_mark() {
        for body in [Body::book_order(), Body::to_everyone(), Body::to_topic()] {
            assert!(body.carries_mark());
            assert!(serde_json::from_str::<serde_json::Value>(&filled(&body)).is_ok());
        }
    }

    #[test]
    fn padding_makes_every_body_as_long_as_asked() {
        let padded = Body::to_everyone().padded_to(1_000).unwrap();
        assert_eq!(filled(&padded).len(), 1_000);
        let short = filled(&Body::to_everyone());
        assert_eq!(filled(&Body::to_everyone().padded_to(3).unwrap()), short);
        assert_eq!(Body::book_order().padded_to(1_000), Err(NoPadding));
    }
}
