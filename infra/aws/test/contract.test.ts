/** The template against what the code relies on. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ACTIONS } from '../lib/routes.js';
import { type Resource, type Synthesis, read, synthesize } from './synthesis.js';

interface Names {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** What each function reads, and the executable that it is. */
const BINARIES: Readonly<Record<string, string>> = {
  Authorizer: 'authorizer',
  Connect: 'connect',
  Disconnect: 'disconnect',
  Message: 'message',
  Publish: 'publish',
  Worker: 'worker',
  SliceWorker: 'worker',
  Canary: 'canary',
};

const CONTRACT = JSON.parse(read('functions/api/environment.json')) as Readonly<Record<string, Names>>;

/** All that can be set differently, once each way. */
const DEPLOYMENTS = {
  'tokens with a secret, a canary, and everything optional': {
    canary: 'rate(5 minutes)',
    corsOrigins: '*',
    sendMessagePerMinute: '5',
  },
  'tokens with public keys': { tokenAlgorithm: 'RS256', tokenJwksUrl: 'https://keys.example/jwks' },
  'signed publishes, subscribers with tokens': { publisherAuth: 'iam', corsOrigins: 'https://shop.example' },
  'topics required, with a canary': { canary: 'rate(1 hour)', topicsRequired: true, topicsParameter: 'listen' },
  'anybody, with a canary': { subscriberAuth: 'off', publisherAuth: 'off', canary: 'rate(1 hour)' },
};

function functionsOf(synthesis: Synthesis): [string, Record<string, unknown>][] {
  const functions = [...synthesis.all('AWS::Lambda::Function')];
  return functions.map(([path, { Properties }]) => [
    path.replace(/\/Function$/, ''),
    (Properties['Environment'] as { Variables: Record<string, unknown> }).Variables,
  ]);
}

for (const [deployment, settings] of Object.entries(DEPLOYMENTS)) {
  test(`functions are told what they read, and nothing else: ${deployment}`, () => {
    for (const [id, variables] of functionsOf(synthesize(settings))) {
      const names = CONTRACT[BINARIES[id] ?? ''];
      assert(names !== undefined, `${id} is in no contract`);
      const missing = names.required.filter((name) => !(name in variables));
      assert.deepEqual(missing, [], `${id} lacks`);
      const unknown = Object.keys(variables).filter((name) => ![...names.required, ...names.optional].includes(name));
      assert.deepEqual(unknown, [], `${id} never reads`);
    }
  });
}

test('every mode has the functions that it needs', () => {
  const ids = (settings: object) => functionsOf(synthesize({ ...settings })).map(([id]) => id);
  const always = ['Connect', 'Disconnect', 'Message', 'Publish', 'Worker', 'SliceWorker'];
  assert.deepEqual(ids({}), ['Authorizer', ...always]);
  assert.deepEqual(ids(DEPLOYMENTS['anybody, with a canary']), [...always, 'Canary']);
});

test('tokens are verified by who asks for them', () => {
  const tokenOf = (settings: object) =>
    functionsOf(synthesize({ ...settings })).flatMap(([id, variables]) => ('TOKEN_ALGORITHM' in variables ? [id] : []));
  assert.deepEqual(tokenOf({}), ['Authorizer', 'Publish']);
  assert.deepEqual(tokenOf({ publisherAuth: 'iam', corsOrigins: 'https://shop.example' }), ['Authorizer']);
  assert.deepEqual(tokenOf({ subscriberAuth: 'off' }), ['Publish']);
  assert.deepEqual(tokenOf({ subscriberAuth: 'off', publisherAuth: 'off' }), []);
});

test('the canary names a topic where it must, as it must', () => {
  const topicsOf = (settings: object) => {
    const { Variables } = synthesize({ canary: 'rate(1 hour)', ...settings }).one('Canary/Function').Properties['Environment'];
    return [Variables.CANARY_TOPICS, Variables.CANARY_TOPICS_PARAMETER];
  };
  assert.deepEqual(topicsOf({}), [undefined, undefined]);
  assert.deepEqual(topicsOf({ topicsRequired: true }), ['canary', undefined]);
  assert.deepEqual(topicsOf({ topicsRequired: true, topicsParameter: 'listen' }), ['canary', 'listen']);
});

test('the secret is in no template', () => {
  const made = synthesize();
  const own = (synthesis: Synthesis) => synthesis.text(synthesis.one('Publish/Function').Properties['Environment'].Variables.TOKEN_SECRET);
  assert.equal(own(made), '{{resolve:secretsmanager:{TokenSecret}:SecretString:::}}');
  const given = synthesize({ tokenSecret: 'shop/tokens', tokenSecretVersion: '0'.repeat(32) });
  assert.equal(own(given), `{{resolve:secretsmanager:shop/tokens:SecretString:::${'0'.repeat(32)}}}`);
  assert.equal(given.all('AWS::SecretsManager::Secret').size, 0);
});

test('tables have the keys that the local stack gives them', () => {
  const local = [...read('infra/local/src/stack/tables.rs').matchAll(/^ {8}table\((\w+), "(\w+)", (?:None|Some\("(\w+)"\))\),$/gm)];
  assert.equal(local.length, 3);
  const synthesis = synthesize();
  for (const [, constant = '', ...keys] of local) {
    const path = `Tables/${constant.charAt(0)}${constant.slice(1).toLowerCase()}`;
    const { KeySchema, AttributeDefinitions, BillingMode } = synthesis.one(path).Properties;
    const names = keys.filter((key) => key !== undefined);
    assert.deepEqual(KeySchema, names.map((name, n) => ({ AttributeName: name, KeyType: n === 0 ? 'HASH' : 'RANGE' })));
    assert.deepEqual(AttributeDefinitions, names.map((name) => ({ AttributeName: name, AttributeType: 'S' })));
    assert.equal(BillingMode, 'PAY_PER_REQUEST');
  }
});

test('rows expire by the attribute that the code writes', () => {
  const [, attribute] = /"AttributeName": "(\w+)", "Enabled": true/.exec(read('infra/local/src/stack/tables.rs')) ?? [];
  for (const [path, { Properties }] of synthesize().all('AWS::DynamoDB::Table')) {
    assert.deepEqual(Properties['TimeToLiveSpecification'], { AttributeName: attribute, Enabled: true }, path);
  }
});

test('what cannot be made again can be restored', () => {
  const recovered = [...synthesize().all('AWS::DynamoDB::Table')].map(([path, { Properties }]) => [
    path,
    Properties['PointInTimeRecoverySpecification'].PointInTimeRecoveryEnabled,
  ]);
  assert.deepEqual(recovered, [
    ['Tables/Connections', false],
    ['Tables/Subscriptions', false],
    ['Tables/Notifications', true],
  ]);
});

test('tables stay where that was asked for', () => {
  const kept = synthesize({ removal: 'retain', deletionProtection: true });
  for (const [path, table] of kept.all('AWS::DynamoDB::Table')) {
    assert.equal(table.DeletionPolicy, 'Retain', path);
    assert.equal(table.Properties['DeletionProtectionEnabled'], true, path);
  }
});

test('both queues end in the same dead letters, kept for longer than tasks', () => {
  const synthesis = synthesize();
  const deadLetters = synthesis.one('Queues/DeadLetters').Properties;
  for (const queue of ['Queues/Notifications', 'Queues/Slices'].map((path) => synthesis.one(path).Properties)) {
    assert.equal(synthesis.text(queue['RedrivePolicy'].deadLetterTargetArn), '{Queues/DeadLetters.Arn}');
    assert(queue['RedrivePolicy'].maxReceiveCount >= 5);
    assert(deadLetters['MessageRetentionPeriod'] > queue['MessageRetentionPeriod']);
  }
  assert.equal(deadLetters['MessageRetentionPeriod'], 14 * 24 * 60 * 60);
  const { Variables } = synthesis.one('SliceWorker/Function').Properties['Environment'];
  assert.equal(synthesis.text(Variables.DEAD_LETTER_QUEUE_URL), '{Queues/DeadLetters}');
});

test('queues are encrypted, and reached by TLS alone', () => {
  const synthesis = synthesize();
  for (const [path, { Properties }] of synthesis.all('AWS::SQS::Queue')) {
    assert.equal(Properties['SqsManagedSseEnabled'], true, path);
  }
  const policies = [...synthesis.all('AWS::SQS::QueuePolicy').values()];
  const denied = policies.map(({ Properties }) => Properties['PolicyDocument'].Statement[0].Condition);
  assert.deepEqual(denied, Array(3).fill({ Bool: { 'aws:SecureTransport': 'false' } }));
});

function routesOf(synthesis: Synthesis, api: string): Map<string, Resource> {
  const routes = [...synthesis.all('AWS::ApiGatewayV2::Route').values()];
  const own = routes.filter(({ Properties }) => synthesis.text(Properties['ApiId']) === `{${api}}`);
  return new Map(own.map((route) => [route.Properties['RouteKey'] as string, route]));
}

test("subscribers' actions are those of the AsyncAPI document", () => {
  const { components } = JSON.parse(read('functions/api/asyncapi.json')) as {
    components: { messages: Record<string, { examples?: { payload?: { action?: string } }[] }> };
  };
  const examples = Object.values(components.messages).flatMap(({ examples = [] }) => examples);
  const actions = new Set(examples.map(({ payload }) => payload?.action).filter((action) => /^[a-z]+$/.test(action ?? '')));
  assert.deepEqual(new Set(ACTIONS), actions);
  const routes = routesOf(synthesize(), 'Sockets/Api');
  assert.deepEqual(new Set(routes.keys()), new Set(['$connect', '$disconnect', '$default', ...ACTIONS]));
});

test("every route but the handshake's has a response, and is there before the stage", () => {
  const synthesis = synthesize();
  const answered = [...synthesis.all('AWS::ApiGatewayV2::RouteResponse').values()].map(({ Properties }) => {
    assert.equal(Properties['RouteResponseKey'], '$default');
    return synthesis.text(Properties['RouteId']);
  });
  const paths = [...synthesis.all('AWS::ApiGatewayV2::Route').keys()].filter((path) => path.startsWith('Sockets/'));
  const messages = paths.filter((path) => !/\$(dis)?connect/.test(path));
  assert.deepEqual(answered.toSorted(), messages.map((path) => `{${path}}`).toSorted());
  const dependencies = synthesis.one('Sockets/Stage').DependsOn ?? [];
  for (const path of paths) {
    const [id] = Object.entries(synthesis.template.Resources).find(([, it]) => it === synthesis.one(path)) ?? ['none'];
    assert(dependencies.includes(id), path);
  }
});

test('an action chooses its route', () => {
  const { Properties } = synthesize().one('Sockets/Api');
  assert.equal(Properties['ProtocolType'], 'WEBSOCKET');
  assert.equal(Properties['RouteSelectionExpression'], '$request.body.action');
});

test('a token may come in the query or among the subprotocols', () => {
  const synthesis = synthesize();
  const connect = routesOf(synthesis, 'Sockets/Api').get('$connect')?.Properties;
  assert.equal(connect?.['AuthorizationType'], 'CUSTOM');
  assert.equal(synthesis.text(connect['AuthorizerId']), '{Sockets/Api/Authorizer}');
  // Whatever is named here must be there, or nobody asks the function.
  assert.deepEqual(synthesis.one('Sockets/Api/Authorizer').Properties['IdentitySource'], []);
  const open = synthesize({ subscriberAuth: 'off' });
  assert.equal(open.all('AWS::ApiGatewayV2::Authorizer').size, 0);
  assert.equal(routesOf(open, 'Sockets/Api').get('$connect')?.Properties['AuthorizationType'], 'NONE');
});

test('every path of the OpenAPI document reaches the function, and every other one too', () => {
  const { paths } = JSON.parse(read('functions/api/openapi.json')) as { paths: object };
  assert(Object.keys(paths).length > 0);
  for (const [publisherAuth, type] of [['jwt', 'NONE'], ['iam', 'AWS_IAM'], ['off', 'NONE']] as const) {
    const synthesis = synthesize({ publisherAuth });
    const routes = routesOf(synthesis, 'Publisher/Api');
    assert.deepEqual([...routes.keys()], ['$default']);
    assert.equal(routes.get('$default')?.Properties['AuthorizationType'], type);
  }
});

test('a browser may ask without a signature whether it may sign', () => {
  const routes = routesOf(synthesize({ publisherAuth: 'iam', corsOrigins: 'https://shop.example' }), 'Publisher/Api');
  assert.deepEqual([...routes.keys()].toSorted(), ['$default', 'OPTIONS /{path+}']);
  assert.equal(routes.get('OPTIONS /{path+}')?.Properties['AuthorizationType'], 'NONE');
});

test('events have the format that the function reads', () => {
  const integrations = synthesize().all('AWS::ApiGatewayV2::Integration');
  const publisher = [...integrations].filter(([path]) => path.startsWith('Publisher/'));
  assert.deepEqual(publisher.map(([, { Properties }]) => Properties['PayloadFormatVersion']), ['2.0']);
});

test('API Gateway waits for as long as functions may take', () => {
  const synthesis = synthesize();
  const timeout = (id: string) => synthesis.one(`${id}/Function`).Properties['Timeout'] as number;
  assert.deepEqual(['Authorizer', 'Connect', 'Disconnect'].map(timeout), [10, 10, 10]);
  assert.equal(timeout('Message'), 20);
  assert.equal(timeout('Publish'), 29);
  const publish = [...synthesis.all('AWS::ApiGatewayV2::Integration')].find(([path]) => path.startsWith('Publisher/'));
  assert.equal(publish?.[1].Properties['TimeoutInMillis'], 29_000);
});

test("the pushes' endpoint is the stage's", () => {
  const synthesis = synthesize({ stage: 'dev', accountRate: 20_000 });
  const endpoint = 'https://{Sockets/Api}.execute-api.{AWS::Region}.{AWS::URLSuffix}/dev';
  for (const id of ['Publish', 'Worker', 'SliceWorker']) {
    const { Variables } = synthesis.one(`${id}/Function`).Properties['Environment'];
    assert.equal(synthesis.text(Variables.MANAGEMENT_ENDPOINT), endpoint);
  }
  assert.equal(synthesis.text(synthesis.template.Outputs['ManagementEndpoint']?.Value), endpoint);
  assert.equal(synthesis.one('Sockets/Stage').Properties['StageName'], 'dev');
});

test('functions run on what was asked for', () => {
  for (const architecture of ['arm64', 'x86_64']) {
    for (const [path, { Properties }] of synthesize({ architecture }).all('AWS::Lambda::Function')) {
      assert.deepEqual(Properties['Architectures'], [architecture], path);
      assert.equal(Properties['Runtime'], 'provided.al2023', path);
      assert.deepEqual(Properties['TracingConfig'], { Mode: 'Active' }, path);
    }
  }
});

test('outputs are those that tools read', () => {
  const { Outputs } = synthesize({ subscriberAuth: 'off', publisherAuth: 'off' }).template;
  assert.deepEqual(Object.keys(Outputs), [
    'WebSocketUrl',
    'PublishUrl',
    'ManagementEndpoint',
    'Region',
    'ConnectionsTable',
    'SubscriptionsTable',
    'NotificationsTable',
    'NotificationsQueueUrl',
    'SlicesQueueUrl',
    'DeadLetterQueueUrl',
    'Dashboard',
  ]);
});
