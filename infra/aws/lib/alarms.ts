/** The alarms: each says why it is one, and what to do. */

import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

import { type Lane, lanesOf } from './lanes.js';
import { Metrics, type Watched, failingByErrors } from './metrics.js';
import { minutesOf } from './rate.js';
import type { Settings } from './settings.js';

/** The greatest age of a task, in seconds: it may wait, and then be worked on. */
export function oldestAllowed(settings: Settings, lane: Lane): number {
  return settings.alarmOldestSeconds + lane.timeoutSeconds;
}

interface AlarmProps {
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly comparison?: cloudwatch.ComparisonOperator;
  /** Of the last three periods; one unless said otherwise. */
  readonly datapoints?: 1 | 2 | 3;
  /** Whether silence is the trouble; otherwise no traffic is none. */
  readonly isDueWhenSilent?: boolean;
  /** Why this is an alarm. */
  readonly why: string;
  /** What whoever is told of it should do. */
  readonly what: string;
}

const { GREATER_THAN_THRESHOLD, GREATER_THAN_OR_EQUAL_TO_THRESHOLD } = cloudwatch.ComparisonOperator;
const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;

const FIVE_MINUTES = Duration.minutes(5);

export class Alarms extends Construct {
  readonly #stage: string;
  readonly #action: SnsAction;

  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    const { settings } = watched;
    this.#stage = settings.stage;
    this.#action = new SnsAction(this.#topic(settings));
    this.#ofQueues(watched);
    this.#ofPushes(settings);
    this.#ofFunctions(watched);
    this.#ofClients(watched);
    const everyMinutes = minutesOf(settings.canary);
    if (everyMinutes !== undefined) {
      this.#ofCanary(settings, Duration.minutes(everyMinutes));
    }
  }

  #topic(settings: Settings): sns.ITopic {
    if (settings.alarmTopicArn !== '') {
      return sns.Topic.fromTopicArn(this, 'Topic', settings.alarmTopicArn);
    }
    const topic = new sns.Topic(this, 'Topic', { displayName: `fanout ${settings.stage}`, enforceSSL: true });
    // A policy of our own replaces the one by which SNS lets the account's alarms in
    // (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
    const conditions = { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } };
    topic.grantPublish(new iam.ServicePrincipal('cloudwatch.amazonaws.com', { conditions }));
    if (settings.alarmEmail !== '') {
      topic.addSubscription(new EmailSubscription(settings.alarmEmail));
    }
    return topic;
  }

  #ofQueues({ settings, queues }: Watched): void {
    this.#alarm('DeadLetters', {
      metric: queues.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: Duration.minutes(1) }),
      threshold: 0,
      comparison: GREATER_THAN_THRESHOLD,
      why: 'Tasks used up their attempts: the connections they name did not get their notification.',
      what: 'Read what the worker logged (its warnings and errors name the notification), mend the cause, redrive the dead-letter queue to the notifications queue.',
    });
    for (const lane of Object.values(lanesOf(settings))) {
      const seconds = oldestAllowed(settings, lane);
      this.#alarm(`Oldest-${lane.name}`, {
        metric: queues[lane.name].metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period: Duration.minutes(1) }),
        threshold: seconds,
        datapoints: 3,
        why: `A task has been on the ${lane.name} queue for more than ${seconds} s, longer than its work may take: subscribers get notifications late.`,
        what: `Look whether workers fail (errors) or are busy (pushes at the lane's rate). If busy, raise ${lane.name}Share, or the account's quota and accountRate with it.`,
      });
    }
  }

  #ofPushes(settings: Settings): void {
    const metrics = new Metrics(settings);
    this.#alarm('Throttled', {
      metric: metrics.throttledPercent(FIVE_MINUTES),
      threshold: settings.alarmThrottledPercent,
      datapoints: 2,
      why: "API Gateway throttles more of the pushes than a worker's share should let happen: the quota is smaller than accountRate, or others use it.",
      what: "Compare accountRate and accountBurst with the account's quota in this Region, and look for other APIs there. Lower the settings, or have the quota raised.",
    });
    this.#alarm('Refused', {
      metric: metrics.own('PushesRefused', 'Sum', 'refused', FIVE_MINUTES),
      threshold: 1,
      why: 'API Gateway refuses pushes for good (403, 413): that is configuration, and trying again does not help.',
      what: "On 403 check execute-api:ManageConnections of the worker's role and MANAGEMENT_ENDPOINT; on 413 check maxFrameBytes. Then redrive.",
    });
    this.#alarm('Unfinished', {
      metric: metrics.own('UnfinishedAge', 'Maximum', 'age', FIVE_MINUTES),
      threshold: settings.alarmUnfinishedSeconds,
      why: `A notification is older than ${settings.alarmUnfinishedSeconds} s, and its ledger still does not close: part of it keeps going back.`,
      what: 'Find it with the saved query (UnfinishedAge names the notification), look at GET /notifications/{id}. Cancel it with DELETE if nobody needs it any more.',
    });
    this.#alarm('Unavailable', {
      metric: metrics.own('PublishesUnavailable', 'Sum', 'unavailable', FIVE_MINUTES),
      threshold: 1,
      why: 'Publishers were answered 503: a notification could not be recorded or enqueued.',
      what: 'Read what publish and message logged: DynamoDB or SQS throttles or fails, or a permission is missing. Who publishes with an Idempotency-Key may send again.',
    });
  }

  #ofFunctions({ functions }: Watched): void {
    for (const it of failingByErrors(functions)) {
      this.#alarm(`Errors-${it.node.id}`, {
        metric: it.function.metricErrors({ period: FIVE_MINUTES }),
        threshold: 1,
        why: `The ${it.node.id} function failed: it timed out, ran out of memory, could not start, or met what it did not expect.`,
        what: `Read its log (${it.node.path}). What a worker had in hand is delivered again; a handshake failed with 502; a publish with 500.`,
      });
    }
  }

  #ofClients({ settings, functions: { authorizer, fronts }, httpApi }: Watched): void {
    const metrics = new Metrics(settings);
    if (authorizer !== undefined) {
      this.#alarm('AuthorizerFailed', {
        metric: metrics.own('AuthorizerFailed', 'Sum', 'failed', FIVE_MINUTES),
        threshold: 1,
        why: 'Handshakes were refused though the token may be right: the authorizer could not tell.',
        what: "Read the authorizer's log for the reason: where keys are public, look whether tokenJwksUrl answers.",
      });
    }
    this.#alarm('FrontThrottles', {
      metric: metrics.throttles(authorizer === undefined ? fronts : [authorizer, ...fronts], FIVE_MINUTES),
      threshold: 1,
      why: "Lambda throttled a function that clients wait for: the account's concurrent executions are used up, or the function's own are limited.",
      what: 'See on the dashboard which one. Look whether its concurrency was set to 0 for a drain; otherwise have the quota of concurrent executions raised.',
    });
    this.#alarm('PublisherErrors', {
      metric: httpApi.metricServerError({ statistic: 'Sum', period: FIVE_MINUTES }),
      threshold: 1,
      why: "The publisher's API answered 5xx, itself or in the function's name.",
      what: "Read its access log for integrationError, and what publish logged: the function failed, took too long, was throttled, or could not reach DynamoDB or SQS.",
    });
  }

  /** One that does not fly is as bad as one that is lost. */
  #ofCanary(settings: Settings, every: Duration): void {
    this.#alarm('Canary', {
      metric: new Metrics(settings).own('CanaryFailed', 'Maximum', 'failed', every),
      threshold: 1,
      datapoints: 2,
      isDueWhenSilent: true,
      why: 'The canary published and did not get its own notification, or did not fly at all: for subscribers it is likely the same.',
      what: "Read the canary's log for the step that failed, then the dashboard from left to right: publishes, queues, pushes. Without a log, look at its schedule.",
    });
  }

  #alarm(id: string, { metric, threshold, why, what, ...props }: AlarmProps): void {
    const datapoints = props.datapoints ?? 1;
    const alarm = new cloudwatch.Alarm(this, id, {
      alarmName: `fanout-${this.#stage}-${id}`,
      alarmDescription: `${why} What to do: ${what}`,
      metric,
      threshold,
      comparisonOperator: props.comparison ?? GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      datapointsToAlarm: datapoints,
      evaluationPeriods: datapoints === 1 ? 1 : 3,
      treatMissingData: props.isDueWhenSilent === true ? BREACHING : NOT_BREACHING,
    });
    alarm.addAlarmAction(this.#action);
    alarm.addOkAction(this.#action);
  }
}
