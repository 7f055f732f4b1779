//! How processes end, and what becomes of their invocations.

use std::process::Stdio;

use fanout_local_faults::Fault;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::*;

async fn kill(pid: u32) {
    let status = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_function_out_of_time_is_killed() {
    let lambda = host(FunctionConfig {
        timeout: Duration::from_millis(500),
        ..function()
    });
    lambda.warm("function").await.unwrap();
    let hanging = pids(&lambda);
    let error = invoke(&lambda, json!({"do": "hang"})).await.unwrap_err();
    assert_eq!(error.to_string(), "task timed out after 0.50 seconds");
    assert!(!is_alive(hanging[0]));
    assert!(lambda.environments("function").is_empty());
    assert_ne!(echo(&lambda).await, u64::from(hanging[0]));
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_crash_is_reported_and_the_next_invocation_works() {
    let lambda = host(FunctionConfig {
        max_concurrency: 1,
        ..function()
    });
    let error = invoke(&lambda, json!({"do": "exit", "code": 3}))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "runtime exited without an answer: exit status: 3"
    );
    echo(&lambda).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_that_ends_whenever_it_has_asked_is_not_started_over_and_over() {
    let lambda = host(FunctionConfig {
        args: vec!["fleeting".to_owned()],
        ..function()
    });
    for _ in 0..20 {
        let error = invoke(&lambda, json!({"do": "echo"})).await.unwrap_err();
        assert!(matches!(error, InvokeError::Exited { .. }), "{error:?}");
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn an_idle_process_killed_from_outside_is_replaced() {
    let lambda = host(FunctionConfig {
        max_concurrency: 1,
        ..function()
    });
    for _ in 0..3 {
        lambda.warm("function").await.unwrap();
        let pid = pids(&lambda)[0];
        kill(pid).await;
        eventually("the process ends", || !is_alive(pid)).await;
        assert_ne!(echo(&lambda).await, u64::from(pid));
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_busy_process_killed_from_outside_fails_its_invocation_alone() {
    let lambda = host(function());
    lambda.warm("function").await.unwrap();
    let pid = pids(&lambda)[0];
    let busy = || {
        lambda
            .environments("function")
            .iter()
            .any(|e| e.invocations == 1)
    };
    let (hung, ()) = tokio::join!(invoke(&lambda, json!({"do": "hang"})), async {
        eventually("the function is busy", busy).await;
        kill(pid).await;
    });
    let error = hung.unwrap_err().to_string();
    assert_eq!(
        error,
        "runtime exited without an answer: signal: 9 (SIGKILL)"
    );
    echo(&lambda).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn the_fault_plan_kills_in_the_middle_of_an_invocation() {
    let kill_function = Fault::new(1.0, 7);
    let config = HostConfig {
        kill_function,
        ..HostConfig::default()
    };
    let lambda = Lambda::start(vec![function()], config).unwrap();
    for event in [json!({"do": "echo", "text": ""}), json!({"do": "hang"})] {
        let error = invoke(&lambda, event).await.unwrap_err();
        assert!(
            matches!(error, InvokeError::Exited { status: Some(_) }),
            "{error:?}"
        );
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_lets_invocations_end_and_leaves_no_process() {
    let lambda = host(function());
    let (answer, pids) = tokio::join!(invoke(&lambda, json!({"do": "sleep", "ms": 500})), async {
        let busy = || {
            lambda
                .environments("function")
                .iter()
                .any(|e| e.invocations == 1)
        };
        eventually("the function is busy", busy).await;
        echo(&lambda).await;
        let pids = pids(&lambda);
        lambda.shutdown().await;
        pids
    });
    answer.unwrap();
    assert_eq!(pids.len(), 2);
    assert!(!pids.into_iter().any(is_alive));
    let error = invoke(&lambda, json!({"do": "echo"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::ShuttingDown), "{error:?}");
    assert!(matches!(
        lambda.warm("function").await,
        Err(InvokeError::ShuttingDown)
    ));
}

#[tokio::test]
async fn a_shutdown_kills_what_outlasts_the_grace_period() {
    let config = HostConfig {
        grace_period: Duration::from_millis(50),
        ..HostConfig::default()
    };
    let lambda = Lambda::start(vec![function()], config).unwrap();
    lambda.warm("function").await.unwrap();
    let pids = pids(&lambda);
    let (error, ()) = tokio::join!(invoke(&lambda, json!({"do": "hang"})), lambda.shutdown());
    assert!(matches!(error, Err(InvokeError::ShuttingDown)), "{error:?}");
    assert!(!is_alive(pids[0]));
}

#[tokio::test]
async fn dropping_the_host_kills_its_processes() {
    let lambda = host(function());
    lambda.warm("function").await.unwrap();
    let pid = pids(&lambda)[0];
    drop(lambda);
    eventually("the process ends", || !is_alive(pid)).await;
}

#[tokio::test]
async fn an_environment_idle_for_too_long_ends() {
    let config = HostConfig {
        idle_timeout: Duration::from_millis(50),
        ..HostConfig::default()
    };
    let lambda = Lambda::start(vec![function()], config).unwrap();
    let pid = u32::try_from(echo(&lambda).await).unwrap();
    eventually("the process ends", || !is_alive(pid)).await;
    eventually("it is forgotten", || pids(&lambda).is_empty()).await;
    lambda.shutdown().await;
}

#[tokio::test]
async fn processes_end_by_themselves_when_the_host_is_killed() {
    for event in [None, Some(r#"{"do":"sleep","ms":500}"#)] {
        let mut command = Command::new(example("host"));
        command.arg(example("scripted_function")).args(event);
        let mut host = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
        let pid = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        assert!(is_alive(pid));
        host.kill().await.unwrap();
        eventually("the process ends", || !is_alive(pid)).await;
    }
}
