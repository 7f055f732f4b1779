/** The whole system as one stack. */

import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

import { Alarms } from './alarms.js';
import { addCanary } from './canary.js';
import { Code } from './code.js';
import { FanoutDashboard } from './dashboard.js';
import { RustFunction } from './functions.js';
import { type Lane, lanesOf, workerEnvironment } from './lanes.js';
import { everyOne } from './metrics.js';
import { PublisherApi } from './publisher-api.js';
import { Queues } from './queues.js';
import type { Settings } from './settings.js';
import { Tables } from './tables.js';
import { tokensOf } from './tokens.js';
import { addTrail } from './trail.js';
import { WebSocketApi } from './websocket-api.js';

/** API Gateway closes a connection after two hours; its row lives ten minutes longer. */
const CONNECTION_LIFETIME = Duration.minutes(130);

/** Functions that a client waits for: API Gateway waits for at most 29 s. */
const HANDSHAKE_TIMEOUT = Duration.seconds(10);
/** Longer than a change of topics is tried, with an attempt at the end of it. */
const MESSAGE_TIMEOUT = Duration.seconds(20);
/** Longer than the 20 s within which the function answers. */
const PUBLISH_TIMEOUT = Duration.seconds(29);

export class FanoutStack extends Stack {
  readonly #settings: Settings;
  readonly #code: Code;
  readonly #tables: Tables;
  readonly #queues: Queues;
  readonly #sockets: WebSocketApi;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, {
      stackName: `fanout-${settings.stage}`,
      description: 'Notification fan-out: POST, SQS, worker, PostToConnection',
      ...(settings.region === '' ? {} : { env: { region: settings.region } }),
    });
    const lanes = lanesOf(settings);
    this.#settings = settings;
    this.#code = new Code(this, settings, binariesOf(settings));
    this.#tables = new Tables(this, 'Tables', settings);
    this.#queues = new Queues(this, 'Queues', lanes);
    this.#sockets = new WebSocketApi(this, 'Sockets', settings);
    const tokens = tokensOf(this, settings);

    const subscribers = {
      authorizer: settings.subscriberAuth === 'jwt' ? this.#authorizer(tokens.environment) : undefined,
      connect: this.#connect(),
      disconnect: this.#disconnect(),
      message: this.#message(),
    };
    const publish = this.#publish(settings.publisherAuth === 'jwt' ? tokens.environment : {});
    const workers = [this.#worker('Worker', lanes.notifications), this.#worker('SliceWorker', lanes.slices)];

    const socketLog = this.#sockets.serve(subscribers);
    const publisher = new PublisherApi(this, 'Publisher', settings, publish);
    const urls = { webSocket: this.#webSocketUrl, publish: publisher.api.apiEndpoint };
    const functions = {
      authorizer: subscribers.authorizer,
      fronts: [subscribers.connect, subscribers.disconnect, subscribers.message, publish],
      workers,
      canary: settings.canary === '' ? undefined : addCanary(this, { settings, code: this.#code, urls, signing: tokens.signing }),
    };
    const watched = { settings, queues: this.#queues, functions, webSocketApi: this.#sockets.api, httpApi: publisher.api };
    const dashboard = new FanoutDashboard(this, 'Operations', watched);
    new Alarms(this, 'Alarms', watched);
    addTrail(this, settings, [...everyOne(functions).map(({ logGroup }) => logGroup), socketLog, publisher.accessLog]);
    this.#output(publisher, dashboard);
  }

  get #webSocketUrl(): string {
    return `${this.#sockets.api.apiEndpoint}/${this.#settings.stage}`;
  }

  /** What every function that reads the tables must know. */
  get #store(): Record<string, string> {
    return {
      CONNECTIONS_TABLE: this.#tables.connections.tableName,
      SUBSCRIPTIONS_TABLE: this.#tables.subscriptions.tableName,
      NOTIFICATIONS_TABLE: this.#tables.notifications.tableName,
      TOPIC_SHARDS: String(this.#settings.topicShards),
      RETENTION_SECONDS: String(this.#settings.retentionSeconds),
    };
  }

  /** What every function that publishes must know. */
  get #publishing(): Record<string, string> {
    return {
      NOTIFICATIONS_QUEUE_URL: this.#queues.notifications.queueUrl,
      EVENT_SOURCE: this.#settings.eventSource,
      MAX_FRAME_BYTES: String(this.#settings.maxFrameBytes),
    };
  }

  #authorizer(tokens: Readonly<Record<string, string>>): RustFunction {
    return this.#front('Authorizer', 'authorizer', 'Says who opens a socket, by a token', HANDSHAKE_TIMEOUT, {
      SUBSCRIBER_AUTH: this.#settings.subscriberAuth,
      ...tokens,
    });
  }

  #connect(): RustFunction {
    const settings = this.#settings;
    const connect = this.#front('Connect', 'connect', 'Stores a connection before its socket opens', HANDSHAKE_TIMEOUT, {
      ...this.#store,
      SUBSCRIBER_AUTH: settings.subscriberAuth,
      TOPICS_PARAMETER: settings.topicsParameter,
      TOPICS_REQUIRED: String(settings.topicsRequired),
      MAX_TOPICS: String(settings.maxTopics),
      CONNECTION_LIFETIME_SECONDS: String(CONNECTION_LIFETIME.toSeconds()),
    });
    connect.mayUse(this.#tables.connections, 'PutItem');
    connect.mayUse(this.#tables.subscriptions, 'BatchWriteItem');
    return connect;
  }

  #disconnect(): RustFunction {
    const disconnect = this.#front('Disconnect', 'disconnect', 'Forgets a connection that closed', HANDSHAKE_TIMEOUT, this.#store);
    this.#mayForget(disconnect);
    return disconnect;
  }

  #message(): RustFunction {
    const settings = this.#settings;
    const message = this.#front('Message', 'message', 'Does what subscribers ask for', MESSAGE_TIMEOUT, {
      ...this.#store,
      ...this.#publishing,
      SUBSCRIBER_AUTH: settings.subscriberAuth,
      MAX_TOPICS: String(settings.maxTopics),
      ...(settings.sendMessagePerMinute === '' ? {} : { SENDMESSAGE_PER_MINUTE: settings.sendMessagePerMinute }),
    });
    message.mayUse(this.#tables.connections, 'GetItem', 'UpdateItem');
    message.mayUse(this.#tables.subscriptions, 'PutItem', 'DeleteItem');
    message.mayUse(this.#tables.notifications, 'PutItem');
    message.maySendTo(this.#queues.notifications);
    return message;
  }

  #publish(tokens: Readonly<Record<string, string>>): RustFunction {
    const settings = this.#settings;
    const publish = this.#front('Publish', 'publish', 'Records notifications and enqueues them', PUBLISH_TIMEOUT, {
      ...this.#store,
      ...this.#publishing,
      MANAGEMENT_ENDPOINT: this.#sockets.managementEndpoint,
      PUBLISHER_AUTH: settings.publisherAuth,
      ...(settings.corsOrigins === '' ? {} : { CORS_ORIGINS: settings.corsOrigins }),
      ...tokens,
    });
    publish.mayUse(this.#tables.notifications, 'GetItem', 'PutItem', 'Query', 'UpdateItem');
    publish.mayUse(this.#tables.connections, 'GetItem');
    publish.mayUse(this.#tables.subscriptions, 'Query');
    this.#mayForget(publish);
    publish.maySendTo(this.#queues.notifications);
    publish.mayManageConnections(this.#sockets.api.apiId, settings.stage, 'GET', 'DELETE');
    return publish;
  }

  /** The worker of a lane, driven by its queue. */
  #worker(id: string, lane: Lane): RustFunction {
    const settings = this.#settings;
    const { notifications, slices, deadLetters } = this.#queues;
    const worker = new RustFunction(this, id, {
      settings,
      code: this.#code,
      binary: 'worker',
      description: `Pushes to subscribers: ${lane.name}`,
      memory: settings.workerMemory,
      timeout: Duration.seconds(lane.timeoutSeconds),
      environment: {
        LOG_LEVEL: settings.logLevel,
        ...this.#store,
        NOTIFICATIONS_QUEUE_URL: notifications.queueUrl,
        SLICES_QUEUE_URL: slices.queueUrl,
        DEAD_LETTER_QUEUE_URL: deadLetters.queueUrl,
        MANAGEMENT_ENDPOINT: this.#sockets.managementEndpoint,
        ...workerEnvironment(settings, lane),
      },
      // What is left goes back to the queue, for as long as a notification lives.
      isItsOwnSource: true,
      // A worker's share of the quota is the lane's divided by so many.
      ...(settings.reserveConcurrency ? { reservedConcurrency: lane.concurrency } : {}),
    });
    worker.mayUse(this.#tables.connections, 'GetItem', 'Scan');
    worker.mayUse(this.#tables.subscriptions, 'Query');
    worker.mayUse(this.#tables.notifications, 'GetItem', 'UpdateItem');
    this.#mayForget(worker);
    worker.maySendTo(notifications, slices, deadLetters);
    worker.mayManageConnections(this.#sockets.api.apiId, settings.stage, 'POST');
    worker.mayReceiveFrom(this.#queues[lane.name]);
    new EventSourceMapping(worker, 'Queue', {
      target: worker.function,
      eventSourceArn: this.#queues[lane.name].queueArn,
      batchSize: lane.batchSize,
      maxConcurrency: lane.concurrency,
      reportBatchItemFailures: true,
    });
    return worker;
  }

  /** Lets it delete connections with their subscriptions. */
  #mayForget(by: RustFunction): void {
    by.mayUse(this.#tables.connections, 'BatchGetItem', 'DeleteItem');
    by.mayUse(this.#tables.subscriptions, 'BatchWriteItem');
  }

  #front(id: string, binary: string, description: string, timeout: Duration, environment: Record<string, string>) {
    const settings = this.#settings;
    return new RustFunction(this, id, {
      settings,
      code: this.#code,
      binary,
      description,
      memory: settings.functionMemory,
      timeout,
      environment: { LOG_LEVEL: settings.logLevel, ...environment },
    });
  }

  #output(publisher: PublisherApi, dashboard: FanoutDashboard): void {
    const outputs = {
      WebSocketUrl: this.#webSocketUrl,
      PublishUrl: publisher.api.apiEndpoint,
      ManagementEndpoint: this.#sockets.managementEndpoint,
      Region: this.region,
      ConnectionsTable: this.#tables.connections.tableName,
      SubscriptionsTable: this.#tables.subscriptions.tableName,
      NotificationsTable: this.#tables.notifications.tableName,
      NotificationsQueueUrl: this.#queues.notifications.queueUrl,
      SlicesQueueUrl: this.#queues.slices.queueUrl,
      DeadLetterQueueUrl: this.#queues.deadLetters.queueUrl,
      Dashboard: dashboard.url,
    };
    for (const [key, value] of Object.entries(outputs)) {
      new CfnOutput(this, key, { value });
    }
  }
}

/** The executables that a deployment needs. */
export function binariesOf(settings: Settings): string[] {
  return [
    ...(settings.subscriberAuth === 'jwt' ? ['authorizer'] : []),
    ...['connect', 'disconnect', 'message', 'publish', 'worker'],
    ...(settings.canary === '' ? [] : ['canary']),
  ];
}
