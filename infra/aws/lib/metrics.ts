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
  readonly functions: readonly RustFunction[];
  readonly webSocketApi: WebSocketApi;
  readonly httpApi: HttpApi;
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
