/** The metrics that the dashboard draws and the alarms watch. */

import { Duration } from 'aws-cdk-lib';
import type { HttpApi, WebSocketApi } from 'aws-cdk-lib/aws-apigatewayv2';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

import { type RustFunction, namespaceOf } from './functions.js';
import type { Queues } from './queues.js';
import type { Settings } from './settings.js';

/** What there is to watch. */
export interface Watched {
  readonly settings: Settings;
  readonly queues: Queues;
  readonly functions: WatchedFunctions;
  readonly webSocketApi: WebSocketApi;
  readonly httpApi: HttpApi;
}

/** The functions, by what their failures mean. */
export interface WatchedFunctions {
  /** Says no with an error, which Lambda counts as it counts failures. */
  readonly authorizer: RustFunction | undefined;
  /** Those that clients wait for, beside the authorizer. */
  readonly fronts: readonly RustFunction[];
  readonly workers: readonly RustFunction[];
  /** Fails where the system does. */
  readonly canary: RustFunction | undefined;
}

/** All of them, in the order of a request's way. */
export function everyOne({ authorizer, fronts, workers, canary }: WatchedFunctions): RustFunction[] {
  return [authorizer, ...fronts, ...workers, canary].filter((it) => it !== undefined);
}

/** Those that themselves tell of failures by errors. */
export function failingByErrors({ fronts, workers }: WatchedFunctions): RustFunction[] {
  return [...fronts, ...workers];
}

/** Those that the functions themselves measure, in what unit, and who does. */
export const OWN_METRICS = [
  'NotificationsAccepted',
  'NotificationsRefused',
  'PublishesUnavailable',
  'ConnectionsOpened',
  'ConnectionsRefused',
  'ConnectionsClosed',
  'Pushes',
  'PushesAccepted',
  'PushesThrottled',
  'PushesTransient',
  'PushesRefused',
  'PushLatency',
  'ConnectionsGone',
  'DeliveriesAccepted',
  'DeliveriesFailed',
  'DeliveriesExpired',
  'DeliveriesCancelled',
  'DeliveriesPending',
  'AcceptedAge',
  'UnfinishedAge',
  'TasksDeadLettered',
  'TasksFailed',
  'CanaryLatency',
  'CanaryFailed',
  'AuthorizerFailed',
] as const;

export type OwnMetric = (typeof OWN_METRICS)[number];

export class Metrics {
  readonly #namespace: string;

  constructor(settings: Settings) {
    this.#namespace = namespaceOf(settings);
  }

  /** One that the functions measure; they have no dimensions. */
  own(metricName: OwnMetric, statistic: string, label: string = metricName, period = Duration.minutes(1)): cloudwatch.Metric {
    return new cloudwatch.Metric({ namespace: this.#namespace, metricName, statistic, label, period });
  }

  /** How many of something there are in a second. */
  perSecond(metricName: OwnMetric, label: string): cloudwatch.MathExpression {
    const id = metricName.toLowerCase();
    return new cloudwatch.MathExpression({
      expression: `${id} / PERIOD(${id})`,
      usingMetrics: { [id]: this.own(metricName, 'Sum') },
      label,
      period: Duration.minutes(1),
    });
  }

  /** How often Lambda throttled any of these functions. */
  throttles(functions: readonly RustFunction[], period: Duration): cloudwatch.MathExpression {
    const metrics = functions.map((it) => [`throttles${it.node.id}`, it.function.metricThrottles({ label: it.node.id, period })] as const);
    return new cloudwatch.MathExpression({
      // One that nobody called has no points, and would make none of the sum.
      expression: `SUM([${metrics.map(([id]) => `FILL(${id}, 0)`).join(', ')}])`,
      usingMetrics: Object.fromEntries(metrics),
      label: 'throttles',
      period,
    });
  }

  /** The percentage of pushes that API Gateway throttled. */
  throttledPercent(period = Duration.minutes(1)): cloudwatch.MathExpression {
    return new cloudwatch.MathExpression({
      expression: '100 * throttled / pushes',
      usingMetrics: {
        throttled: this.own('PushesThrottled', 'Sum', 'throttled', period),
        pushes: this.own('Pushes', 'Sum', 'pushes', period),
      },
      label: 'throttled, % of pushes',
      period,
    });
  }
}
