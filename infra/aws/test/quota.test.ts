/** Workers, their queues and their shares of the account's quota. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Resource, type Synthesis, synthesize } from './synthesis.js';

const WORKERS = { Worker: 'Queues/Notifications', SliceWorker: 'Queues/Slices' };

/** What all routes may take in a second: a stage's throttle holds for each by itself. */
function takenByClients(synthesis: Synthesis): number {
  const rates = [...synthesis.all('AWS::ApiGatewayV2::Route').values()].map(({ Properties }) => {
    const stage = synthesis.text(Properties['ApiId']) === '{Sockets/Api}' ? 'Sockets/Stage' : 'Publisher/Stage';
    const { DefaultRouteSettings, RouteSettings = {} } = synthesis.one(stage).Properties;
    // No more can close than have opened.
    const key = Properties['RouteKey'] === '$disconnect' ? '$connect' : Properties['RouteKey'];
    return (RouteSettings[key] ?? DefaultRouteSettings).ThrottlingRateLimit as number;
  });
  return rates.reduce((a, b) => a + b);
}

const ACCOUNTS = {
  'as accounts are': {},
  'in a small Region': { accountRate: 2_500, accountBurst: 1_250, connectRate: 30, publishRate: 50, messageRate: 15, sendMessageRate: 30 },
  'signed publishes from pages': { publisherAuth: 'iam', corsOrigins: 'https://shop.example' },
  'everything for broadcasts': { notificationsShare: 1, slicesShare: 89 },
  'shares that do not divide evenly': { accountRate: 9_999, notificationsConcurrency: 7, slicesConcurrency: 3, slicesShare: 61 },
};

for (const [account, settings] of Object.entries(ACCOUNTS)) {
  const synthesis = synthesize(settings);
  const { accountRate = 10_000, accountBurst = 5_000 } = settings as { accountRate?: number; accountBurst?: number };
  const functions = Object.keys(WORKERS).map((id) => synthesis.one(`${id}/Function`).Properties);
  const variable = (worker: Resource['Properties'], name: string) => Number(worker['Environment'].Variables[name]);

  test(`all workers together keep to the account's rate and burst: ${account}`, () => {
    const total = (name: string) =>
      functions.map((worker) => variable(worker, name) * worker['ReservedConcurrentExecutions']).reduce((a, b) => a + b);
    assert(total('PUSH_RATE_PER_SECOND') <= accountRate * 0.95);
    assert(total('PUSH_RATE_PER_SECOND') > accountRate * 0.75, 'and use it');
    assert(total('PUSH_BURST') <= accountBurst);
  });

  test(`whatever clients do leaves the workers their shares: ${account}`, () => {
    const pushes = functions
      .map((worker) => variable(worker, 'PUSH_RATE_PER_SECOND') * worker['ReservedConcurrentExecutions'])
      .reduce((a, b) => a + b);
    assert(pushes + takenByClients(synthesis) <= accountRate);
  });

  test(`as many workers run as the shares were cut for: ${account}`, () => {
    const mappings = synthesis.all('AWS::Lambda::EventSourceMapping');
    for (const [n, id] of Object.keys(WORKERS).entries()) {
      const { ScalingConfig } = mappings.get(`${id}/Queue`)?.Properties ?? {};
      assert(ScalingConfig.MaximumConcurrency >= 2);
      assert.equal(functions[n]?.['ReservedConcurrentExecutions'], ScalingConfig.MaximumConcurrency);
    }
  });

  test(`what a worker finishes itself it can push at once: ${account}`, () => {
    for (const worker of functions) {
      assert(variable(worker, 'SMALL_AUDIENCE') <= variable(worker, 'PUSH_BURST'));
    }
  });

  test(`everyone is cut into a multiple of the workers on slices: ${account}`, () => {
    const [, slices] = functions;
    for (const worker of functions) {
      assert.equal(variable(worker, 'SEGMENTS') % slices?.['ReservedConcurrentExecutions'], 0);
    }
  });
}

test('each queue drives its own worker, and hears which tasks failed', () => {
  const synthesis = synthesize();
  const mappings = [...synthesis.all('AWS::Lambda::EventSourceMapping')].map(([path, { Properties }]) => ({
    path,
    from: synthesis.text(Properties['EventSourceArn']),
    to: synthesis.text(Properties['FunctionName']),
    batch: Properties['BatchSize'],
    answers: Properties['FunctionResponseTypes'],
  }));
  const answers = ['ReportBatchItemFailures'];
  assert.deepEqual(mappings, [
    { path: 'Worker/Queue', from: '{Queues/Notifications.Arn}', to: '{Worker/Function}', batch: 10, answers },
    { path: 'SliceWorker/Queue', from: '{Queues/Slices.Arn}', to: '{SliceWorker/Function}', batch: 1, answers },
  ]);
});

test('a task stays hidden for at least six timeouts of its worker', () => {
  for (const settings of [{}, { notificationsTimeout: 900, slicesTimeout: 15, slicesVisibility: 43_200 }]) {
    const synthesis = synthesize(settings);
    for (const [id, queue] of Object.entries(WORKERS)) {
      const { Timeout } = synthesis.one(`${id}/Function`).Properties;
      assert(synthesis.one(queue).Properties['VisibilityTimeout'] >= 6 * Timeout, id);
    }
  }
});

test('a worker has the time to end what it has begun', () => {
  for (const slicesTimeout of [15, 300, 900]) {
    const { Timeout, Environment } = synthesize({ slicesTimeout }).one('SliceWorker/Function').Properties;
    const [margin, push] = ['DEADLINE_MARGIN_MS', 'PUSH_TIMEOUT_MS'].map((name) => Number(Environment.Variables[name]));
    assert(margin !== undefined && push !== undefined);
    assert(margin <= (Timeout * 1_000) / 2);
    // The last two seconds are for writing down: `LAST_WORD` in core/src/worker.rs.
    assert(margin >= push + Math.min(2_000, margin / 2));
  }
});

test('Lambda lets workers send to their own queues, and no other function', () => {
  for (const [path, { Properties }] of synthesize().all('AWS::Lambda::Function')) {
    const isWorker = path.replace(/\/Function$/, '') in WORKERS;
    assert.equal(Properties['RecursiveLoop'], isWorker ? 'Allow' : 'Terminate', path);
  }
});

test('an account with little concurrency can leave it unreserved', () => {
  for (const [path, { Properties }] of synthesize({ reserveConcurrency: false }).all('AWS::Lambda::Function')) {
    assert.equal(Properties['ReservedConcurrentExecutions'], undefined, path);
  }
});

test('clients are throttled before they use what is for pushes', () => {
  const synthesis = synthesize({ messageRate: 30, sendMessageRate: 20, publishRate: 600, connectRate: 50, accountBurst: 4_000 });
  const { DefaultRouteSettings, RouteSettings } = synthesis.one('Sockets/Stage').Properties;
  assert.equal(DefaultRouteSettings.ThrottlingRateLimit, 30);
  assert.equal(RouteSettings.$connect.ThrottlingRateLimit, 50);
  assert.equal(RouteSettings.sendmessage.ThrottlingRateLimit, 20);
  // A close that is refused leaves a row behind.
  assert.deepEqual([RouteSettings.$disconnect.ThrottlingRateLimit, RouteSettings.$disconnect.ThrottlingBurstLimit], [10_000, 4_000]);
  assert.equal(synthesis.one('Publisher/Stage').Properties['DefaultRouteSettings'].ThrottlingRateLimit, 600);
});
