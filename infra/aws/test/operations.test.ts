/** What those who run it see: logs, alarms, the dashboard, the saved query. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { read, synthesize } from './synthesis.js';

const WITH_CANARY = { canary: 'rate(5 minutes)', alarmEmail: 'ops@shop.example', stage: 'dev' };

/** What the functions measure, with the deployment as its namespace. */
const MEASURED = new Set(
  (JSON.parse(read('functions/api/metrics.json')) as { readonly name: string }[]).map(({ name }) => name),
);

test('there is an alarm for everything that somebody must act on', () => {
  const names = (settings: object) =>
    [...synthesize({ ...settings }).all('AWS::CloudWatch::Alarm').keys()].map((path) => path.replace(/^Alarms\//, ''));
  const always = [
    'DeadLetters',
    'Oldest-notifications',
    'Oldest-slices',
    'Throttled',
    'Refused',
    'Unfinished',
    'Unavailable',
    ...['Connect', 'Disconnect', 'Message', 'Publish', 'Worker', 'SliceWorker'].map((id) => `Errors-${id}`),
    'FrontThrottles',
    'PublisherErrors',
  ];
  assert.deepEqual(names({ subscriberAuth: 'off' }), always);
  assert.deepEqual(new Set(names(WITH_CANARY)), new Set([...always, 'AuthorizerFailed', 'Canary']));
});

test('every alarm says why and what to do, and tells somebody', () => {
  const synthesis = synthesize(WITH_CANARY);
  for (const [path, { Properties }] of synthesis.all('AWS::CloudWatch::Alarm')) {
    assert.match(Properties['AlarmDescription'], /^[A-Z].{30,}\. What to do: [A-Z].{30,}\.$/, path);
    assert(Properties['AlarmDescription'].length <= 1_024, path);
    for (const actions of ['AlarmActions', 'OKActions']) {
      assert.deepEqual([Properties[actions]].flat().map((action: unknown) => synthesis.text(action)), ['{Alarms/Topic}'], path);
    }
    assert.equal(Properties['TreatMissingData'], path === 'Alarms/Canary' ? 'breaching' : 'notBreaching', path);
  }
  const [subscription] = synthesis.all('AWS::SNS::Subscription').values();
  assert.equal(subscription?.Properties['Endpoint'], 'ops@shop.example');
});

test("CloudWatch may tell the topic of this account's alarms", () => {
  const [policy] = synthesize().all('AWS::SNS::TopicPolicy').values();
  const statements = policy?.Properties['PolicyDocument'].Statement as Record<string, any>[];
  const allowed = statements.filter(({ Effect }) => Effect === 'Allow');
  assert.equal(allowed.length, 1);
  const [{ Action, Principal, Condition, Resource }] = allowed as [Record<string, any>];
  assert.deepEqual([Action, Principal], ['sns:Publish', { Service: 'cloudwatch.amazonaws.com' }]);
  assert.deepEqual(Condition, { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } });
  assert.equal(synthesize().text(Resource), '{Alarms/Topic}');
  assert(statements.some(({ Effect, Condition }) => Effect === 'Deny' && Condition.Bool['aws:SecureTransport'] === 'false'));
});

test('a token that is refused is no error of ours', () => {
  const synthesis = synthesize(WITH_CANARY);
  const dashboard = synthesis.text(synthesis.one('Operations/Dashboard').Properties['DashboardBody']);
  assert.match(dashboard, /Publish errors/);
  assert.doesNotMatch(dashboard, /Authorizer errors/);
  assert.match(dashboard, /Authorizer throttles/);
});

test('one function that is throttled is enough, whoever else is idle', () => {
  const throttled = (settings: object) => {
    const synthesis = synthesize({ ...settings });
    const metrics = synthesis.one('Alarms/FrontThrottles').Properties['Metrics'] as Record<string, any>[];
    const [sum] = metrics.filter(({ Expression }) => Expression !== undefined);
    const parts = metrics.filter(({ MetricStat }) => MetricStat !== undefined);
    assert.equal(sum?.['Expression'], `SUM([${parts.map(({ Id }) => `FILL(${Id}, 0)`).join(', ')}])`);
    return parts.map(({ MetricStat: { Metric, Stat } }) => {
      assert.deepEqual([Metric.MetricName, Stat], ['Throttles', 'Sum']);
      return synthesis.text(Metric.Dimensions[0].Value).replace(/^\{(\w+)\/Function\}$/, '$1');
    });
  };
  assert.deepEqual(throttled(WITH_CANARY), ['Authorizer', 'Connect', 'Disconnect', 'Message', 'Publish']);
  assert.deepEqual(throttled({ subscriberAuth: 'off' }), ['Connect', 'Disconnect', 'Message', 'Publish']);
});

test("the publisher's API alarms on its own 5xx", () => {
  const synthesis = synthesize();
  const { Namespace, MetricName, Dimensions, Statistic } = synthesis.one('Alarms/PublisherErrors').Properties;
  assert.deepEqual([Namespace, MetricName, Statistic], ['AWS/ApiGateway', '5xx', 'Sum']);
  assert.equal(synthesis.text(Dimensions[0].Value), '{Publisher/Api}');
});

test('alarms can go to a topic that is there', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-central-1:111122223333:alarms';
  const synthesis = synthesize({ alarmTopicArn });
  assert.equal(synthesis.all('AWS::SNS::Topic').size, 0);
  for (const { Properties } of synthesis.all('AWS::CloudWatch::Alarm').values()) {
    assert.deepEqual(Properties['AlarmActions'], [alarmTopicArn]);
  }
});

test('dead letters alarm at the first one', () => {
  const { Properties } = synthesize().one('Alarms/DeadLetters');
  assert.equal(Properties['MetricName'], 'ApproximateNumberOfMessagesVisible');
  assert.deepEqual([Properties['ComparisonOperator'], Properties['Threshold']], ['GreaterThanThreshold', 0]);
});

test('a task may wait, and then be worked on, before that is an alarm', () => {
  const synthesis = synthesize({ alarmOldestSeconds: 10, slicesTimeout: 600 });
  assert.equal(synthesis.one('Alarms/Oldest-notifications').Properties['Threshold'], 70);
  assert.equal(synthesis.one('Alarms/Oldest-slices').Properties['Threshold'], 610);
});

test('alarms and the dashboard ask for metrics that are measured', () => {
  const synthesis = synthesize(WITH_CANARY);
  const text = synthesis.text(synthesis.one('Operations/Dashboard').Properties['DashboardBody']);
  const asked = new Set([...text.matchAll(/\["Fanout\/dev","(\w+)"/g)].map(([, name]) => name));
  for (const { Properties } of synthesis.all('AWS::CloudWatch::Alarm').values()) {
    const queries = (Properties['Metrics'] ?? []) as { MetricStat?: { Metric: { Namespace: string; MetricName: string } } }[];
    const metrics = [Properties, ...queries.map(({ MetricStat }) => MetricStat?.Metric ?? {})] as Record<string, unknown>[];
    for (const { Namespace, MetricName, Dimensions } of metrics.filter(({ Namespace }) => String(Namespace).startsWith('Fanout'))) {
      assert.equal(Namespace, 'Fanout/dev');
      assert.equal(Dimensions, undefined);
      asked.add(MetricName as string);
    }
  }
  assert.deepEqual([...asked].filter((name) => !MEASURED.has(name ?? '')), []);
  assert.deepEqual([...MEASURED].filter((name) => !asked.has(name)), [], 'measured, and nowhere to be seen');
  for (const { Properties } of synthesis.all('AWS::Lambda::Function').values()) {
    assert.equal(Properties['Environment'].Variables.METRICS_NAMESPACE, 'Fanout/dev');
  }
});

test('one query follows a notification through every log', () => {
  const synthesis = synthesize(WITH_CANARY);
  const { LogGroupNames, QueryString } = synthesis.one('Trail').Properties;
  const searched = (LogGroupNames as unknown[]).map((name) => synthesis.text(name));
  const all = [...synthesis.all('AWS::Logs::LogGroup').keys()].map((path) => `{${path}}`);
  assert.deepEqual(searched.toSorted(), all.toSorted());
  assert.match(QueryString, /filter @message like \/NOTIFICATION-OR-TRACE-ID\//);
});

test('logs are kept for as long as was asked for', () => {
  for (const [path, { Properties }] of synthesize({ logRetentionDays: '7' }).all('AWS::Logs::LogGroup')) {
    assert.equal(Properties['RetentionInDays'], 7, path);
  }
});

test('functions log to their own log, as JSON, what LOG_LEVEL lets through', () => {
  const synthesis = synthesize(WITH_CANARY);
  for (const [path, { Properties }] of synthesis.all('AWS::Lambda::Function')) {
    const { LogGroup, ...format } = Properties['LoggingConfig'];
    assert.equal(synthesis.text(LogGroup), `{${path.replace(/Function$/, 'Log')}}`);
    assert.deepEqual(format, { LogFormat: 'JSON', ApplicationLogLevel: 'TRACE', SystemLogLevel: 'INFO' });
  }
});

test('accesses are logged without queries and tokens', () => {
  for (const path of ['Sockets/Stage', 'Publisher/Stage']) {
    const { Format } = synthesize().one(path).Properties['AccessLogSettings'];
    const fields = JSON.parse(Format) as Record<string, string>;
    assert(Object.values(fields).every((variable) => /^\$context\.[A-Za-z.]+$/.test(variable)), path);
    assert.doesNotMatch(Format, /querystring|header|protocol|authorizer\.(?!error)/i, path);
  }
});

test("the account's role for logs stays when the stack goes, or is not made", () => {
  const made = synthesize();
  assert.equal(made.one('Sockets/Account').DeletionPolicy, 'Retain');
  assert.equal(made.one('Sockets/LogRole').DeletionPolicy, 'Retain');
  const existing = synthesize({ apiGatewayLogRole: 'existing' });
  assert.equal(existing.all('AWS::ApiGateway::Account').size, 0);
});

test("the account's role for logs is set once there is an API", () => {
  const synthesis = synthesize();
  const [id] = Object.entries(synthesis.template.Resources).find(([, it]) => it === synthesis.one('Sockets/Api')) ?? ['none'];
  assert([synthesis.one('Sockets/Account').DependsOn ?? []].flat().includes(id));
});

test('the canary is missed when two of three are lost or do not fly', () => {
  for (const [canary, seconds] of [['rate(1 minute)', 60], ['rate(20 minutes)', 1_200], ['rate(24 hours)', 86_400]] as const) {
    const { Properties } = synthesize({ canary }).one('Alarms/Canary');
    assert.equal(Properties['Metrics'][0].MetricStat.Period, seconds);
    assert.deepEqual([Properties['DatapointsToAlarm'], Properties['EvaluationPeriods']], [2, 3]);
    assert.equal(Properties['TreatMissingData'], 'breaching');
  }
});

test('the canary sings on schedule, once', () => {
  const synthesis = synthesize(WITH_CANARY);
  const [invocation] = synthesis.all('AWS::Lambda::EventInvokeConfig').values();
  assert.equal(synthesis.text(invocation?.Properties['FunctionName']), '{Canary/Function}');
  assert.equal(invocation?.Properties['MaximumRetryAttempts'], 0);
  const { Properties } = synthesis.one('Canary/Schedule');
  assert.equal(Properties['ScheduleExpression'], 'rate(5 minutes)');
  assert.equal(Properties['Targets'][0].RetryPolicy.MaximumRetryAttempts, 0);
});

test('a template is ASCII: CloudFormation makes question marks of the rest', () => {
  for (const settings of [{}, WITH_CANARY]) {
    assert.match(JSON.stringify(synthesize(settings).template), /^[ -~]*$/);
  }
});
