//! Everything started, in the order in which one part needs the other, and
//! stopped in the reverse.

pub(crate) mod cold_start;
mod functions;
mod lambda;
mod outputs;
mod page;
mod programs;
mod queues;
mod simulated;
mod tables;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use fanout_local_faults::FaultPlan;
use fanout_local_gateway::{Gateway, RateLimit, Settings as GatewaySettings};
use fanout_local_lambda::{HostConfig, Lambda};
use fanout_local_sqs::Sqs;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lambda::InTurn;
use self::outputs::OutputsFile;
use self::programs::Programs;
use crate::cli::{Limit, Options};

/// The account and the Region that everything pretends to be in.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// Where the stack can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    http: SocketAddr,
    ws: SocketAddr,
    dynamodb: SocketAddr,
    sqs: SocketAddr,
    stage: String,
}

/// The running stack.
pub(crate) struct Stack {
    addresses: Addresses,
    max_sockets: usize,
    /// The functions' names.
    functions: Vec<&'static str>,
    /// How a token is made, where one is asked for.
    mint: Option<String>,
    /// Where scripts read what they must know of this stack.
    outputs_file: Option<PathBuf>,
    /// Unpacked for as long as the stack runs.
    _programs: Programs,
    lambda: Lambda,
    /// What takes work in: it stops first.
    fronts: Part,
    /// What hands work on.
    mappings: Part,
    /// What everything else stands on: it stops last.
    stores: Part,
}

/// Tasks that are stopped together. Dropped, they are told to stop and not
/// waited for.
#[derive(Default)]
struct Part {
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Part {
    async fn stop(mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Stack {
    /// Starts everything but the functions' processes; `max_sockets`
    /// subscribers are let in.
    ///
    /// # Errors
    /// A port is taken, the data directory cannot be used, or a function is
    /// configured in a way that Lambda would refuse.
    pub(crate) fn start(options: &Options, max_sockets: usize) -> anyhow::Result<Self> {
        let http = listen(options.http, "--http")?;
        let ws = listen(options.ws, "--ws")?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let dynamodb = listen(any, "DynamoDB")?;
        let sqs_listener = listen(any, "SQS")?;
        let addresses = Addresses {
            http: http.local_addr()?,
            ws: ws.local_addr()?,
            dynamodb: dynamodb.local_addr()?,
            sqs: sqs_listener.local_addr()?,
            stage: options.stage.clone(),
        };
        let faults = options.fault_plan();

        let mut stores = Part::default();
        let tables = tables::open(options.data_dir.as_deref())?;
        simulated::write_rows(&tables, options.simulated)?;
        tables::serve(dynamodb, tables, &mut stores)?;
        let sqs = Sqs::new(ACCOUNT, REGION, faults.duplicate_delivery.clone());
        queues::create(&sqs, options.visibility())?;
        queues::serve(sqs_listener, sqs.clone(), &mut stores);

        let programs = Programs::of(options.functions.as_deref())?;
        let functions = functions::configure(options, &addresses, &programs)?;
        let host = HostConfig {
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            kill_function: faults.kill_function.clone(),
            ..HostConfig::default()
        };
        let lambda = Lambda::start(functions, host)?;
        let mut mappings = Part::default();
        functions::map_queues(options, &lambda, &sqs, &mut mappings)?;

        let mut settings = gateway_settings(options, max_sockets, faults);
        let of_page = functions::page_settings(options);
        settings.static_routes = vec![page::route(&addresses, of_page)];
        let gateway = Gateway::new(settings, InTurn(lambda.clone()));
        let mut fronts = Part::default();
        let (shutdown, front) = (fronts.shutdown.clone(), gateway.clone());
        fronts
            .tasks
            .spawn(async move { front.serve_http(http, shutdown).await });
        let shutdown = fronts.shutdown.clone();
        fronts
            .tasks
            .spawn(async move { gateway.serve_websocket(ws, shutdown).await });
        Ok(Self {
            addresses,
            max_sockets,
            functions: functions::names(options).collect(),
            mint: options.auth.then(|| mint_command(options)),
            outputs_file: options.outputs_file.clone(),
            _programs: programs,
            lambda,
            fronts,
            mappings,
            stores,
        })
    }

    /// Starts a process for each function, so that the first order is not the
    /// one that waits for them.
    ///
    /// # Errors
    /// A function does not start.
    pub(crate) async fn warm(&self) -> anyhow::Result<()> {
        for name in &self.functions {
            self.lambda
                .warm(name)
                .await
                .with_context(|| format!("cannot start function {name}"))?;
        }
        Ok(())
    }

    /// Writes the file that scripts read, where one was asked for.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_outputs(&self) -> anyhow::Result<Option<OutputsFile>> {
        let path = self.outputs_file.as_deref();
        path.map(|path| OutputsFile::write(path, &self.addresses))
            .transpose()
    }

    /// Says that the stack is ready, for scripts in the first line, and what to
    /// type next.
    pub(crate) fn welcome(&self) -> String {
        let max_sockets = self.max_sockets;
        let Addresses {
            http,
            ws,
            dynamodb,
            sqs,
            stage,
        } = &self.addresses;
        let (mint, by_protocol, by_query, by_header) = match &self.mint {
            None => (String::new(), "", String::new(), ""),
            Some(mint) => (
                format!("make a token, in each terminal:\n  TOKEN=$({mint})\n"),
                " -s fanout.v1 -s bearer.$TOKEN",
                format!("  npx wscat -c \"ws://{ws}/{stage}?token=$TOKEN\"\n"),
                " -H \"authorization: Bearer $TOKEN\"",
            ),
        };
        format!(
            "ready http=http://{http} ws=ws://{ws}/{stage} dynamodb=http://{dynamodb} sqs=http://{sqs}\n\
             \n\
             {mint}\
             subscribe, in any number of terminals (up to {max_sockets} sockets):\n  \
             npx wscat -c ws://{ws}/{stage}{by_protocol}\n\
             {by_query}\
             publish:\n  \
             curl -i -X POST http://{http}/orders -H 'content-type: application/json'{by_header} \
             -d '{{\"bookId\":123,\"title\":\"The Pragmatic Programmer\",\"quantity\":1}}'\n\
             or both in a browser: http://{http}/\n\
             see who got it, at the location that the answer names:\n  \
             curl http://{http}/notifications/ID{by_header}\n\
             \n\
             Ctrl-C stops everything.\n"
        )
    }

    /// Stops everything: no new work is taken in, what is running ends or is
    /// given up after a grace period, and every process that was started has
    /// ended when this returns.
    pub(crate) async fn stop(self) {
        self.fronts.stop().await;
        // The mappings wait for their invocations, and only Lambda can end
        // those that take too long.
        tokio::join!(self.mappings.stop(), self.lambda.shutdown());
        self.stores.stop().await;
    }
}

fn listen(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    fanout_local_gateway::bind(address).with_context(|| {
        format!("{what}: cannot listen on {address}; is another stack running? Choose another port, or 0 for a free one")
    })
}

/// The command that makes a token for this stack. A secret that was given is
/// not shown again.
fn mint_command(options: &Options) -> String {
    let this = std::env::current_exe().unwrap_or_else(|_| "fanout-local".into());
    let secret = if options.has_own_secret() {
        " --auth-secret SECRET"
    } else {
        ""
    };
    format!("{} token --user u1 --scope publish{secret}", this.display())
}

fn gateway_settings(options: &Options, max_sockets: usize, faults: FaultPlan) -> GatewaySettings {
    let account = match options.account_rate {
        Limit::PerSecond(rate) => Some(RateLimit {
            rate_per_second: rate.get(),
            burst: options.account_burst.get(),
        }),
        Limit::Unlimited => None,
    };
    let connect_rate = match options.connect_rate {
        Limit::PerSecond(rate) => Some(RateLimit {
            rate_per_second: rate.get(),
            burst: rate.get(),
        }),
        Limit::Unlimited => None,
    };
    GatewaySettings {
        stage: options.stage.clone(),
        region: REGION.to_owned(),
        account_id: ACCOUNT.to_owned(),
        account,
        connect_rate,
        max_open_sockets: Some(max_sockets),
        simulated_connections: options.simulated,
        idle_timeout: options.idle_timeout,
        max_connection_duration: options.max_connection_duration,
        http_routes: functions::http_routes(),
        websocket_routes: functions::websocket_routes(options),
        faults,
        ..GatewaySettings::default()
    }
}
