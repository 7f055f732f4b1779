//! The host with real processes: `examples/scripted_function.rs`, built on
//! `lambda_runtime`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the functions beside the tests are tests, too"
)]

mod endings;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fanout_local_lambda::{
    FunctionConfig, HostConfig, InvokeError, Lambda, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES,
    StartError,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Cargo builds the examples before the tests, beside them.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    profile.join("examples").join(name)
}

fn function() -> FunctionConfig {
    FunctionConfig {
        name: "function".to_owned(),
        program: example("scripted_function"),
        args: Vec::new(),
        environment: BTreeMap::from([("TABLE".to_owned(), "connections".to_owned())]),
        timeout: Duration::from_mins(1),
        memory_mib: 128,
        max_concurrency: 2,
    }
}

fn host(function: FunctionConfig) -> Lambda {
    Lambda::start(vec![function], HostConfig::default()).unwrap()
}

async fn invoke(lambda: &Lambda, event: Value) -> Result<Value, InvokeError> {
    let answer = lambda.invoke("function", event.to_string().into()).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

async fn echo(lambda: &Lambda) -> u64 {
    let answer = invoke(lambda, json!({"do": "echo", "text": "hello"}))
        .await
        .unwrap();
    assert_eq!(answer["text"], "hello");
    answer["pid"].as_u64().unwrap()
}

fn pids(lambda: &Lambda) -> Vec<u32> {
    lambda
        .environments("function")
        .iter()
        .map(|environment| environment.pid)
        .collect()
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // An orphan stays as a zombie where nobody collects it.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for something that another process brings about.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let polled = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), polled).await.expect(what);
}

#[tokio::test]
async fn an_event_goes_to_the_function_and_its_answer_comes_back() {
    let lambda = host(function());
    let answer = invoke(&lambda, json!({"do": "echo", "text": "a\u{fc}b"}))
        .await
        .unwrap();
    assert_eq!(answer["text"], "a\u{fc}b");
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_warm_environment_is_used_again() {
    let lambda = host(function());
    let pid = echo(&lambda).await;
    for _ in 0..5 {
        assert_eq!(echo(&lambda).await, pid);
    }
    let environments = lambda.environments("function");
    assert_eq!(environments.len(), 1);
    assert_eq!(u64::from(environments[0].pid), pid);
    assert_eq!(
        (environments[0].invocations, environments[0].is_busy),
        (6, false)
    );
    assert!(environments[0].peak_memory_bytes > Some(100_000));
    assert!(environments[0].init_duration > Some(Duration::ZERO));
    lambda.shutdown().await;
}

#[tokio::test]
async fn the_first_invocation_finds_the_environment_that_was_warmed() {
    let lambda = host(function());
    lambda.warm("function").await.unwrap();
    lambda.warm("function").await.unwrap();
    let warmed = pids(&lambda);
    assert_eq!(warmed.len(), 1);
    assert_eq!(echo(&lambda).await, u64::from(warmed[0]));
    lambda.shutdown().await;
}

#[tokio::test]
async fn an_invocation_shares_the_start_of_an_environment_being_warmed() {
    let lambda = host(FunctionConfig {
        max_concurrency: 1,
        ..function()
    });
    let (warmed, _) = tokio::join!(lambda.warm("function"), echo(&lambda));
    warmed.unwrap();
    assert_eq!(lambda.environments("function")[0].id, 1);
    lambda.shutdown().await;
}

#[tokio::test]
async fn invocations_over_the_reserved_concurrency_are_throttled() {
    let lambda = host(function());
    let sleep = || invoke(&lambda, json!({"do": "sleep", "ms": 300}));
    let (first, second, third) = tokio::join!(sleep(), sleep(), sleep());
    assert!(first.is_ok() && second.is_ok());
    assert!(matches!(third, Err(InvokeError::Throttled)), "{third:?}");
    assert_eq!(lambda.environments("function").len(), 2);
    echo(&lambda).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn callers_that_give_up_leave_the_line_to_those_who_wait() {
    let lambda = host(FunctionConfig {
        max_concurrency: 1,
        ..function()
    });
    lambda.warm("function").await.unwrap();
    let in_turn = |event: Value| {
        let lambda = lambda.clone();
        async move {
            let event = event.to_string().into();
            lambda.invoke_in_turn("function", event, None).await
        }
    };
    // The first is invoked and the others stand in line when they give up.
    let mut impatient = JoinSet::new();
    for _ in 0..10 {
        impatient.spawn(in_turn(json!({"do": "sleep", "ms": 300})));
    }
    let is_busy = || lambda.environments("function").iter().any(|e| e.is_busy);
    eventually("the function is busy", is_busy).await;
    impatient.shutdown().await;

    let mut patient = JoinSet::new();
    for _ in 0..10 {
        patient.spawn(in_turn(json!({"do": "echo", "text": ""})));
    }
    for answer in patient.join_all().await {
        answer.unwrap();
    }
    lambda.shutdown().await;
    let late = in_turn(json!({"do": "echo", "text": ""})).await;
    assert!(matches!(late, Err(InvokeError::ShuttingDown)), "{late:?}");
}

#[tokio::test]
async fn an_error_keeps_its_type_and_message_and_the_environment_lives() {
    let lambda = host(function());
    let pid = echo(&lambda).await;
    let error = invoke(&lambda, json!({"do": "fail", "message": "no such book"})).await;
    let Err(InvokeError::Failed {
        error_type,
        message,
    }) = error
    else {
        panic!("{error:?}");
    };
    assert!(error_type.contains("Error"), "{error_type}");
    assert_eq!(message, "no such book");
    let error = invoke(&lambda, json!({"do": "panic"})).await.unwrap_err();
    assert!(error.to_string().contains("the function panics"), "{error}");
    assert_eq!(echo(&lambda).await, pid);
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_that_cannot_start_is_reported() {
    let lambda = host(FunctionConfig {
        args: vec!["broken".to_owned()],
        ..function()
    });
    let error = lambda.warm("function").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "runtime exited without an answer: exit status: 1"
    );
    let error = invoke(&lambda, json!({"do": "echo"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::Exited { .. }), "{error:?}");
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_not_one_is_reported() {
    let program: PathBuf = "/nowhere/bootstrap".into();
    let missing = Lambda::start(
        vec![FunctionConfig {
            program,
            ..function()
        }],
        HostConfig::default(),
    );
    assert!(matches!(missing, Err(StartError::ProgramNotFound { .. })));

    let program: PathBuf = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into();
    let lambda = host(FunctionConfig {
        program,
        ..function()
    });
    let error = invoke(&lambda, json!({"do": "echo"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::NotStarted { .. }), "{error:?}");
    lambda.shutdown().await;
}

#[tokio::test]
async fn an_invocation_goes_on_when_its_caller_is_gone() {
    let lambda = host(FunctionConfig {
        max_concurrency: 1,
        ..function()
    });
    lambda.warm("function").await.unwrap();
    let sleeping = invoke(&lambda, json!({"do": "sleep", "ms": 500}));
    assert!(timeout(Duration::from_millis(20), sleeping).await.is_err());
    let throttled = invoke(&lambda, json!({"do": "echo", "text": ""})).await;
    assert!(
        matches!(throttled, Err(InvokeError::Throttled)),
        "{throttled:?}"
    );
    let idle = || lambda.environments("function").iter().all(|e| !e.is_busy);
    eventually("the invocation ends", idle).await;
    echo(&lambda).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn payloads_and_answers_have_the_limits_of_lambda() {
    let lambda = host(function());
    let wrap = r#"{"do":"echo","text":""}"#.len();
    let event = |bytes: usize| json!({"do": "echo", "text": "x".repeat(bytes - wrap)});
    invoke(&lambda, event(MAX_REQUEST_BYTES)).await.unwrap();
    let error = invoke(&lambda, event(MAX_REQUEST_BYTES + 1))
        .await
        .unwrap_err();
    assert!(
        matches!(error, InvokeError::PayloadTooLarge { bytes: 6_291_457 }),
        "{error:?}"
    );

    let large = |bytes: usize| invoke(&lambda, json!({"do": "large", "bytes": bytes}));
    let answer = large(MAX_RESPONSE_BYTES).await.unwrap();
    assert_eq!(answer.as_str().unwrap().len(), MAX_RESPONSE_BYTES - 2);
    let error = large(MAX_RESPONSE_BYTES + 1).await.unwrap_err();
    assert!(
        matches!(error, InvokeError::ResponseTooLarge { bytes: 6_291_557 }),
        "{error:?}"
    );
    echo(&lambda).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_sees_what_lambda_sets_and_nothing_else() {
    let lambda = host(function());
    let variables = invoke(&lambda, json!({"do": "environment"})).await.unwrap();
    let names: Vec<_> = variables
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TABLE",
        "TZ",
        "_HANDLER",
        // Set by the runtime, from a header.
        "_X_AMZN_TRACE_ID",
    ];
    assert_eq!(names, expected);
    assert_eq!(variables["TABLE"], "connections");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_VERSION"], "$LATEST");
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_learns_its_request_and_deadline() {
    let lambda = host(function());
    let first = invoke(&lambda, json!({"do": "context"})).await.unwrap();
    let second = invoke(&lambda, json!({"do": "context"})).await.unwrap();
    assert_eq!(
        first["arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:function"
    );
    assert_ne!(first["request_id"], second["request_id"]);
    assert!(first["deadline_ms"].as_u64() <= second["deadline_ms"].as_u64());
    let trace_id = first["trace_id"].as_str().unwrap();
    assert!(
        trace_id.starts_with("Root=1-") && trace_id.len() == 74,
        "{trace_id}"
    );
    lambda.shutdown().await;
}

#[tokio::test]
async fn an_unknown_function_is_an_error() {
    let lambda = host(function());
    let error = lambda.invoke("nobody", "{}".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "no function is named \"nobody\"");
    assert!(lambda.environments("nobody").is_empty());
    let twice = Lambda::start(vec![function(), function()], HostConfig::default());
    assert!(matches!(twice, Err(StartError::DuplicateName { .. })));
}
