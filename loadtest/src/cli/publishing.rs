//! What is published, and how its frames are told.

use std::fs;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{ArgsError, collected, parse_header};
use crate::{
    body::{Body, PLACES},
    identity::{Identity, Pointer},
    mark::Mark,
    topics::Topics,
};

/// What is published, and how its frames are told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is published")]
pub(super) struct PublishingArgs {
    /// What to publish: JSON, or a file with JSON [default: a numbered book order, or to a path
    /// that ends in /notifications the general form]
    #[arg(long, value_name = "JSON|FILE", value_parser = parse_body, long_help = body_help())]
    body: Option<Body>,

    /// The same, of any format, from a file
    #[arg(long, value_name = "FILE", value_parser = parse_template, conflicts_with = "body")]
    template: Option<Body>,

    /// Pad every body to this size, where it has {padding}
    #[arg(long, value_name = "N")]
    payload_bytes: Option<usize>,

    /// A header of every publish, such as 'authorization: Bearer t'; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Frames are JSON with an id here, such as /data/id [default: frames are CloudEvents]
    #[arg(long, value_name = "POINTER", group = "told_by")]
    frame_id: Option<Pointer>,

    /// Where the answer to the publish names the same id
    #[arg(
        long,
        value_name = "POINTER",
        default_value = "/id",
        requires = "frame_id"
    )]
    answer_id: Pointer,

    /// Frames are JSON with the publish's {intended} here
    #[arg(long, value_name = "POINTER", group = "told_by")]
    frame_intended: Option<Pointer>,

    /// Frames of any format carry the publish's {mark} somewhere
    #[arg(long, group = "told_by")]
    by_mark: bool,
}

impl PublishingArgs {
    pub(super) fn body(
        &self,
        publish: Option<&Uri>,
        topics: Option<&Topics>,
    ) -> Result<Body, ArgsError> {
        let is_general = publish.is_some_and(|url| url.path().ends_with("/notifications"));
        let given = self.body.clone().or_else(|| self.template.clone());
        let mut body = given.unwrap_or_else(|| match (is_general, topics) {
            (true, Some(_)) => Body::to_topic(),
            (true, None) => Body::to_everyone(),
            (false, _) => Body::book_order(),
        });
        if let Some(bytes) = self.payload_bytes {
            body = body.padded_to(bytes)?;
        }
        if publish.is_some() && topics.is_some() && !body.names_topic() {
            return Err(ArgsError::TopicNotInBody);
        }
        if self.by_mark && !body.carries_mark() {
            return Err(ArgsError::MarkNotInBody);
        }
        Ok(body)
    }

    pub(super) fn headers(&self) -> HeaderMap {
        collected(&self.headers)
    }

    pub(super) fn identity(&self) -> Identity {
        match (&self.frame_id, &self.frame_intended) {
            (Some(frame), _) => Identity::Id {
                frame: frame.clone(),
                answer: self.answer_id.clone(),
            },
            (None, Some(frame)) => Identity::Intended(frame.clone()),
            (None, None) if self.by_mark => Identity::Mark,
            (None, None) => Identity::Event,
        }
    }
}

fn body_help() -> String {
    format!(
        "What to publish: JSON, or a file with JSON, in which are filled in: {PLACES} [default: a \
         numbered book order, or to a path that ends in /notifications the general form]"
    )
}

fn parse_body(text: &str) -> Result<Body, String> {
    let is_inline = text.trim_start().starts_with(['{', '[', '"']);
    let json = if is_inline {
        text.to_owned()
    } else {
        fs::read_to_string(text)
            .map_err(|error| format!("expected JSON or a file that can be read: {error}"))?
    };
    let body = Body::template(&json);
    serde_json::from_slice::<serde::de::IgnoredAny>(&body.of(&Mark::EXAMPLE, None))
        .map_err(|error| format!("expected JSON: {error}"))?;
    Ok(body)
}

fn parse_template(path: &str) -> Result<Body, String> {
    fs::read_to_string(path)
        .map(|text| Body::template(&text))
        .map_err(|error| format!("expected a text file that can be read: {error}"))
}
