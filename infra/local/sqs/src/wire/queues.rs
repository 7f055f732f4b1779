//! The operations on whole queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Front;
use super::attributes::{self, JsonQueueAttributes};
use super::error::ApiError;
use super::request::{Caller, number, queue_name, required};
use super::settle::Nothing;
use crate::service::QueueAttributes;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: JsonQueueAttributes,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueInput {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    attributes: JsonQueueAttributes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    queue_url: Option<String>,
    #[serde(default)]
    queue_name_prefix: String,
    max_results: Option<i64>,
    /// The name of the last queue of the page before.
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UrlOutput {
    queue_url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesOutput {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: JsonQueueAttributes,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UrlsOutput {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SourcesOutput {
    // The model has this one member in another case.
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Front {
    pub(super) fn create_queue(
        &self,
        caller: &Caller,
        input: NameInput,
    ) -> Result<UrlOutput, ApiError> {
        let name = required(input.queue_name, "QueueName")?;
        if !input.tags.is_empty() {
            return Err(ApiError::unsupported("Tags are not supported."));
        }
        // For a queue that is there, only the attributes given must agree.
        let existing = self.sqs.describe(&name).ok();
        let mut attributes = existing.map_or_else(QueueAttributes::default, |of| of.attributes);
        attributes::set(&mut attributes, &input.attributes)?;
        self.sqs.create_queue(&name, attributes)?;
        self.url(caller, &name)
    }

    pub(super) fn delete_queue(&self, input: &QueueInput) -> Result<Nothing, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        self.sqs.delete_queue(queue)?;
        Ok(Nothing {})
    }

    pub(super) fn get_queue_url(
        &self,
        caller: &Caller,
        input: NameInput,
    ) -> Result<UrlOutput, ApiError> {
        let name = required(input.queue_name, "QueueName")?;
        self.url(caller, &name)
    }

    pub(super) fn get_queue_attributes(
        &self,
        input: &QueueInput,
    ) -> Result<AttributesOutput, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        let description = self.sqs.describe(queue)?;
        let arn = self.sqs.queue_arn(queue)?;
        let redrive = description.attributes.redrive.as_ref();
        let target = redrive.and_then(|to| self.sqs.queue_arn(&to.dead_letter_queue).ok());
        let names = &input.attribute_names;
        Ok(AttributesOutput {
            attributes: attributes::describe(&description, &arn, target.as_deref(), names)?,
        })
    }

    pub(super) fn set_queue_attributes(&self, input: &QueueInput) -> Result<Nothing, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        let mut attributes = self.sqs.describe(queue)?.attributes;
        attributes::set(&mut attributes, &input.attributes)?;
        self.sqs.set_attributes(queue, attributes)?;
        Ok(Nothing {})
    }

    pub(super) fn purge_queue(&self, input: &QueueInput) -> Result<Nothing, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        self.sqs.purge(queue)?;
        Ok(Nothing {})
    }

    pub(super) fn list_queues(
        &self,
        caller: &Caller,
        input: &ListInput,
    ) -> Result<UrlsOutput, ApiError> {
        let names = self.sqs.queue_names(&input.queue_name_prefix);
        let (queue_urls, next_token) = self.page(caller, names, input)?;
        Ok(UrlsOutput {
            queue_urls,
            next_token,
        })
    }

    pub(super) fn list_dead_letter_source_queues(
        &self,
        caller: &Caller,
        input: &ListInput,
    ) -> Result<SourcesOutput, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        let names = self.sqs.dead_letter_sources(queue)?;
        let (queue_urls, next_token) = self.page(caller, names, input)?;
        Ok(SourcesOutput {
            queue_urls,
            next_token,
        })
    }

    fn url(&self, caller: &Caller, name: &str) -> Result<UrlOutput, ApiError> {
        let queue_url = self.sqs.queue_url(&caller.base_url, name)?;
        Ok(UrlOutput { queue_url })
    }

    /// One page of URLs, and a token for the next one if there is more and the
    /// caller set a size.
    fn page(
        &self,
        caller: &Caller,
        names: Vec<String>,
        input: &ListInput,
    ) -> Result<(Vec<String>, Option<String>), ApiError> {
        let max = number(input.max_results, "MaxResults", 1..=1_000)?;
        let size = max.unwrap_or(1_000).try_into().unwrap_or(usize::MAX);
        let is_after = |name: &String| input.next_token.as_ref().is_none_or(|last| name > last);
        let mut names = names.into_iter().filter(is_after);
        let page: Vec<String> = names.by_ref().take(size).collect();
        let has_more = max.is_some() && names.next().is_some();
        let next_token = page.last().filter(|_| has_more).cloned();
        // A queue that has been deleted since is left out.
        let urls = page
            .iter()
            .map(|name| self.sqs.queue_url(&caller.base_url, name));
        Ok((urls.flatten().collect(), next_token))
    }
}
