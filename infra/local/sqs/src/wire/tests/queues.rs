use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::*;

#[tokio::test]
async fn a_queue_is_created_found_changed_and_deleted() {
    let fixture = Fixture::start().await;
    let client = &fixture.client;
    let create = |timeout: &str| {
        let request = client.create_queue().queue_name("new");
        request.attributes(Name::VisibilityTimeout, timeout).send()
    };
    let url = create("7").await.unwrap().queue_url.unwrap();
    assert_eq!(url, fixture.url("new"));
    assert_eq!(create("7").await.unwrap().queue_url(), Some(url.as_str()));
    let error = create("8").await.unwrap_err().into_service_error();
    assert!(error.is_queue_name_exists());
    let found = client.get_queue_url().queue_name("new").send().await;
    assert_eq!(found.unwrap().queue_url(), Some(url.as_str()));

    let set = client.set_queue_attributes().queue_url(&url);
    set.attributes(Name::DelaySeconds, "60")
        .send()
        .await
        .unwrap();
    fixture.send("new", "delayed").await;
    let get = client.get_queue_attributes().queue_url(&url);
    let attributes = get.attribute_names(Name::All).send().await.unwrap();
    let attributes = attributes.attributes.unwrap();
    for (name, value) in [
        (Name::QueueArn, "arn:aws:sqs:eu-central-1:123456789012:new"),
        (Name::VisibilityTimeout, "7"),
        (Name::DelaySeconds, "60"),
        (Name::MaximumMessageSize, "1048576"),
        (Name::MessageRetentionPeriod, "345600"),
        (Name::ApproximateNumberOfMessages, "0"),
        (Name::ApproximateNumberOfMessagesNotVisible, "0"),
        (Name::ApproximateNumberOfMessagesDelayed, "1"),
    ] {
        assert_eq!(attributes[&name], value, "{name}");
    }

    let purge = || client.purge_queue().queue_url(&url).send();
    purge().await.unwrap();
    let error = purge().await.unwrap_err().into_service_error();
    assert!(error.is_purge_queue_in_progress());

    let delete = || client.delete_queue().queue_url(&url).send();
    delete().await.unwrap();
    let error = delete().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist());
}

#[tokio::test]
async fn a_redrive_policy_is_set_read_and_listed() {
    let fixture = Fixture::start().await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:123456789012:dead","maxReceiveCount":"5"}"#;
    let create = fixture.client.create_queue().queue_name("new");
    let create = create.attributes(Name::RedrivePolicy, policy);
    let url = create.send().await.unwrap().queue_url.unwrap();
    let get = fixture.client.get_queue_attributes().queue_url(url);
    let get = get.attribute_names(Name::RedrivePolicy);
    let attributes = get.send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes.len(), 1);
    assert_eq!(
        attributes[&Name::RedrivePolicy],
        policy.replace(r#""5""#, "5")
    );
    let list = fixture.client.list_dead_letter_source_queues();
    let sources = list.queue_url(fixture.url("dead")).send().await.unwrap();
    assert_eq!(
        sources.queue_urls(),
        [fixture.url("jobs"), fixture.url("new")]
    );
}

#[tokio::test]
async fn queues_are_listed_in_pages() {
    let fixture = Fixture::start().await;
    let list = || fixture.client.list_queues();
    let all = list().send().await.unwrap();
    assert_eq!(all.queue_urls(), [fixture.url("dead"), fixture.url("jobs")]);
    let by_prefix = list().queue_name_prefix("jo").send().await.unwrap();
    assert_eq!(by_prefix.queue_urls(), [fixture.url("jobs")]);
    let pages = list().into_paginator().page_size(1).items().send();
    let urls = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(urls, all.queue_urls());
}

#[tokio::test]
async fn attributes_that_are_unknown_or_out_of_range_are_refused() {
    let fixture = Fixture::start().await;
    let set = async |name: Name, value: &str| {
        let set = fixture.client.set_queue_attributes();
        let set = set.queue_url(fixture.url("jobs")).attributes(name, value);
        set.send().await.unwrap_err().into_service_error()
    };
    let error = set(Name::VisibilityTimeout, "43201").await;
    assert!(error.is_invalid_attribute_value());
    let error = set(Name::DelaySeconds, "soon").await;
    assert!(error.is_invalid_attribute_value());
    let error = set(Name::RedrivePolicy, "{}").await;
    assert!(error.is_invalid_attribute_value());
    let error = set(Name::FifoQueue, "true").await;
    assert!(error.is_invalid_attribute_name());
    let get = fixture.client.get_queue_attributes();
    let get = get.queue_url(fixture.url("jobs"));
    let error = get.attribute_names("Colour".into()).send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_invalid_attribute_name());
}

#[tokio::test]
async fn a_queue_url_is_taken_with_any_host() {
    let fixture = Fixture::start().await;
    let request = fixture.client.send_message().message_body("hello");
    let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
    request.queue_url(url).send().await.unwrap();
    assert_eq!(fixture.receive("jobs", 0).await.len(), 1);
}
