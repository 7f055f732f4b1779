/** The dashboard: whether notifications arrive, how fast, and what is in the way. */

import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';

import { oldestAllowed } from './alarms.js';
import { lanesOf } from './lanes.js';
import { Metrics, type OwnMetric, type Watched, everyOne, failingByErrors } from './metrics.js';

const WIDTH = 24;
const HEIGHT = 6;
const PERIOD = Duration.minutes(1);

export class FanoutDashboard extends Construct {
  /** Where it is shown. */
  readonly url: string;

  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    const { region } = Stack.of(this);
    const name = `fanout-${watched.settings.stage}-${region}`;
    new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: name,
      defaultInterval: Duration.hours(3),
      widgets: [
        row(throughput(watched), arrival(watched), throttling(watched)),
        row(ledger(watched), age(watched), deadLetters(watched)),
        row(connections(watched), gone(watched), latency(watched)),
        row(publishing(watched), errors(watched), ...canary(watched)),
      ],
    });
    this.url = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${name}`;
  }
}

type Graph = Omit<cloudwatch.GraphWidgetProps, 'width' | 'height'>;

/** A row of graphs, equally wide. */
function row(...graphs: Graph[]): cloudwatch.IWidget[] {
  const width = Math.floor(WIDTH / graphs.length);
  return graphs.map((graph) => new cloudwatch.GraphWidget({ period: PERIOD, ...graph, width, height: HEIGHT }));
}

function throughput({ settings }: Watched): Graph {
  const metrics = new Metrics(settings);
  return {
    title: 'Pushes accepted a second',
    left: [metrics.perSecond('PushesAccepted', 'accepted'), metrics.perSecond('Pushes', 'all')],
    leftAnnotations: [{ value: settings.accountRate, label: "the account's rate", color: cloudwatch.Color.RED }],
    leftYAxis: { min: 0 },
  };
}

function arrival({ settings }: Watched): Graph {
  const metrics = new Metrics(settings);
  return {
    title: 'From acceptance to push: the time to 50 and 99 %',
    left: [metrics.own('AcceptedAge', 'p50', '50 %'), metrics.own('AcceptedAge', 'p99', '99 %')],
    leftYAxis: { min: 0, label: 'ms', showUnits: false },
  };
}

function throttling({ settings }: Watched): Graph {
  return {
    title: 'Throttled pushes',
    left: [new Metrics(settings).throttledPercent()],
    leftAnnotations: [{ value: settings.alarmThrottledPercent, label: 'alarm', color: cloudwatch.Color.RED }],
    leftYAxis: { min: 0, label: '%', showUnits: false },
  };
}

function ledger({ settings }: Watched): Graph {
  return {
    title: 'What became of connections; put back to go on later',
    left: sums(settings, {
      DeliveriesAccepted: 'accepted',
      DeliveriesFailed: 'failed',
      DeliveriesExpired: 'expired',
      DeliveriesCancelled: 'cancelled',
      DeliveriesPending: 'pending',
    }),
    right: [new Metrics(settings).own('UnfinishedAge', 'Maximum', 'oldest that is unfinished, s')],
  };
}

function age({ settings, queues }: Watched): Graph {
  const oldest = (queue: Watched['queues']['slices'], label: string) =>
    queue.metricApproximateAgeOfOldestMessage({ label, statistic: 'Maximum', period: PERIOD });
  return {
    title: 'Age of the oldest task',
    left: [oldest(queues.notifications, 'notifications'), oldest(queues.slices, 'slices')],
    leftAnnotations: Object.values(lanesOf(settings)).map((lane) => ({
      value: oldestAllowed(settings, lane),
      label: `alarm for ${lane.name}`,
      color: cloudwatch.Color.RED,
    })),
    leftYAxis: { min: 0, label: 's', showUnits: false },
  };
}

function deadLetters({ settings, queues }: Watched): Graph {
  const waiting = (queue: Watched['queues']['slices'], label: string) =>
    queue.metricApproximateNumberOfMessagesVisible({ label, statistic: 'Maximum', period: PERIOD });
  return {
    title: 'Dead letters; tasks that wait',
    left: [waiting(queues.deadLetters, 'dead letters'), ...sums(settings, { TasksDeadLettered: 'newly dead', TasksFailed: 'to be delivered again' })],
    right: [waiting(queues.notifications, 'notifications'), waiting(queues.slices, 'slices')],
    leftYAxis: { min: 0 },
  };
}

function connections({ settings, webSocketApi }: Watched): Graph {
  const messages = new cloudwatch.Metric({
    namespace: 'AWS/ApiGateway',
    metricName: 'MessageCount',
    dimensionsMap: { ApiId: webSocketApi.apiId },
    statistic: 'Sum',
    label: 'messages, both ways',
    period: PERIOD,
  });
  return {
    title: 'Connections',
    left: sums(settings, {
      ConnectionsOpened: 'opened',
      ConnectionsClosed: 'closed',
      ConnectionsRefused: 'refused',
      AuthorizerFailed: 'authorizer failed',
    }),
    right: [messages],
    leftYAxis: { min: 0 },
  };
}

function gone({ settings }: Watched): Graph {
  return {
    title: 'Connections found gone; pushes that went wrong',
    left: sums(settings, { ConnectionsGone: 'gone', PushesTransient: 'transient', PushesRefused: 'refused' }),
    leftYAxis: { min: 0 },
  };
}

function latency({ settings }: Watched): Graph {
  const metrics = new Metrics(settings);
  return {
    title: 'PostToConnection',
    left: ['p50', 'p99', 'Maximum'].map((statistic) => metrics.own('PushLatency', statistic, statistic)),
    leftYAxis: { min: 0, label: 'ms', showUnits: false },
  };
}

function publishing({ settings, httpApi }: Watched): Graph {
  return {
    title: 'Publishes',
    left: sums(settings, { NotificationsAccepted: 'accepted', NotificationsRefused: 'refused', PublishesUnavailable: 'unavailable' }),
    right: [httpApi.metricLatency({ statistic: 'p99', label: 'latency p99, ms', period: PERIOD })],
    leftYAxis: { min: 0 },
  };
}

function errors({ functions }: Watched): Graph {
  return {
    title: 'Functions: errors, throttles',
    left: failingByErrors(functions).map((it) => it.function.metricErrors({ label: `${it.node.id} errors`, period: PERIOD })),
    right: everyOne(functions).map((it) => it.function.metricThrottles({ label: `${it.node.id} throttles`, period: PERIOD })),
    leftYAxis: { min: 0 },
  };
}

function canary({ settings, functions }: Watched): Graph[] {
  if (functions.canary === undefined) {
    return [];
  }
  const metrics = new Metrics(settings);
  const period = Duration.minutes(5);
  return [
    {
      title: 'Canary',
      left: [metrics.own('CanaryLatency', 'Maximum', 'publish to arrival, ms', period)],
      right: [metrics.own('CanaryFailed', 'Sum', 'failed', period)],
      leftYAxis: { min: 0 },
    },
  ];
}

function sums(settings: Watched['settings'], labels: Partial<Record<OwnMetric, string>>): cloudwatch.Metric[] {
  const metrics = new Metrics(settings);
  return Object.entries(labels).map(([name, label]) => metrics.own(name as OwnMetric, 'Sum', label));
}
