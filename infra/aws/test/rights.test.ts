/** What each function may do: by name, and nothing else. */

import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { APP } from '../lib/code.js';
import { type Synthesis, read, synthesize } from './synthesis.js';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const SOCKETS = 'arn:{AWS::Partition}:execute-api:{AWS::Region}:{AWS::AccountId}:{Sockets/Api}/prod';

/** What every function may do. */
const EVERY = (id: string) => [
  `logs:CreateLogStream {${id}/Log.Arn}`,
  `logs:PutLogEvents {${id}/Log.Arn}`,
  'xray:PutTelemetryRecords *',
  'xray:PutTraceSegments *',
];

/** Deleting connections with their subscriptions. */
const FORGET = [
  'dynamodb:BatchGetItem {Tables/Connections.Arn}',
  'dynamodb:DeleteItem {Tables/Connections.Arn}',
  'dynamodb:BatchWriteItem {Tables/Subscriptions.Arn}',
];

const WORKER = (queue: string) => [
  ...FORGET,
  'dynamodb:GetItem {Tables/Connections.Arn}',
  'dynamodb:Scan {Tables/Connections.Arn}',
  'dynamodb:Query {Tables/Subscriptions.Arn}',
  'dynamodb:GetItem {Tables/Notifications.Arn}',
  'dynamodb:UpdateItem {Tables/Notifications.Arn}',
  'sqs:SendMessage {Queues/Notifications.Arn}',
  'sqs:SendMessage {Queues/Slices.Arn}',
  'sqs:SendMessage {Queues/DeadLetters.Arn}',
  `sqs:ReceiveMessage {${queue}.Arn}`,
  `sqs:DeleteMessage {${queue}.Arn}`,
  `sqs:GetQueueAttributes {${queue}.Arn}`,
  `execute-api:ManageConnections ${SOCKETS}/POST/@connections/*`,
];

const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  Authorizer: [],
  Connect: ['dynamodb:PutItem {Tables/Connections.Arn}', 'dynamodb:BatchWriteItem {Tables/Subscriptions.Arn}'],
  Disconnect: FORGET,
  Message: [
    'dynamodb:GetItem {Tables/Connections.Arn}',
    'dynamodb:UpdateItem {Tables/Connections.Arn}',
    'dynamodb:PutItem {Tables/Subscriptions.Arn}',
    'dynamodb:DeleteItem {Tables/Subscriptions.Arn}',
    'dynamodb:PutItem {Tables/Notifications.Arn}',
    'sqs:SendMessage {Queues/Notifications.Arn}',
  ],
  Publish: [
    ...FORGET,
    'dynamodb:GetItem {Tables/Connections.Arn}',
    'dynamodb:Query {Tables/Subscriptions.Arn}',
    'dynamodb:GetItem {Tables/Notifications.Arn}',
    'dynamodb:PutItem {Tables/Notifications.Arn}',
    'dynamodb:Query {Tables/Notifications.Arn}',
    'dynamodb:UpdateItem {Tables/Notifications.Arn}',
    'sqs:SendMessage {Queues/Notifications.Arn}',
    `execute-api:ManageConnections ${SOCKETS}/GET/@connections/*`,
    `execute-api:ManageConnections ${SOCKETS}/DELETE/@connections/*`,
  ],
  Worker: WORKER('Queues/Notifications'),
  SliceWorker: WORKER('Queues/Slices'),
  Canary: [],
};

const WITH_CANARY = { canary: 'rate(5 minutes)' };

/** An action and what it is for, a line each. */
function rightsOf(synthesis: Synthesis, id: string): string[] {
  const statements = synthesis.one(`${id}/Role/DefaultPolicy`).Properties['PolicyDocument'].Statement as Statement[];
  return statements.flatMap(({ Effect, Action, Resource, Condition }) => {
    assert.equal(Effect, 'Allow');
    assert.equal(Condition, undefined);
    const resources = [Resource].flat().map((resource) => synthesis.text(resource));
    return [Action].flat().flatMap((action) => resources.map((resource) => `${action} ${resource}`));
  });
}

for (const [id, rights] of Object.entries(RIGHTS)) {
  test(`${id} may do what its code does`, () => {
    assert.deepEqual(rightsOf(synthesize(WITH_CANARY), id).toSorted(), [...EVERY(id), ...rights].toSorted());
  });
}

test('a function has a role of its own, and only its own policy', () => {
  const synthesis = synthesize(WITH_CANARY);
  const roles = [...synthesis.all('AWS::Lambda::Function').values()].map(({ Properties }) => synthesis.text(Properties['Role']));
  assert.deepEqual(roles.toSorted(), Object.keys(RIGHTS).map((id) => `{${id}/Role.Arn}`).toSorted());
  for (const id of Object.keys(RIGHTS)) {
    assert.equal(synthesis.one(`${id}/Role`).Properties['ManagedPolicyArns'], undefined, id);
  }
  assert.equal(synthesis.all('AWS::IAM::Policy').size, roles.length);
});

test('each function can be invoked by what is in front of it alone', () => {
  const synthesis = synthesize(WITH_CANARY);
  const grants = [...synthesis.all('AWS::Lambda::Permission').values()].map(({ Properties }) => {
    assert.equal(Properties['Action'], 'lambda:InvokeFunction');
    const source = synthesis.text(Properties['SourceArn']);
    // Of these APIs and this schedule, not of any.
    assert.match(source, /:\{(Sockets|Publisher)\/Api\}\/|^\{Canary\/Schedule\.Arn\}$/);
    return `${synthesis.text(Properties['FunctionName'])} ${Properties['Principal']}`;
  });
  assert.deepEqual(
    [...new Set(grants)].toSorted(),
    [
      ...['Authorizer', 'Connect', 'Disconnect', 'Message', 'Publish'].map((id) => `{${id}/Function.Arn} apigateway.amazonaws.com`),
      '{Canary/Function.Arn} events.amazonaws.com',
    ].toSorted(),
  );
});

test('everything that the code asks of DynamoDB and SQS is granted to somebody', () => {
  const files = (directory: string): string[] =>
    readdirSync(join(APP, '../..', directory)).flatMap((name) => {
      const path = `${directory}/${name}`;
      return statSync(join(APP, '../..', path)).isDirectory() ? files(path) : [path];
    });
  const source = files('core/src/aws').map(read).join('\n');
  const operations = [...source.matchAll(/^ *\.((?:batch_|transact_)?(?:get|put|update|delete|write)_items?|query|scan|send_message\w*)\(\)/gm)];
  const asked = new Set(operations.map(([, operation]) => operation));
  assert(asked.size >= 8, [...asked].join());
  const granted = new Set(Object.values(RIGHTS).flat().map((right) => right.split(' ')[0]));
  for (const operation of asked) {
    // A transaction needs the rights of its parts, a batch of messages that of one.
    const action = { transact_write_items: 'PutItem', send_message_batch: 'SendMessage' }[operation ?? ''];
    const name = action ?? (operation ?? '').replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const service = name === 'SendMessage' ? 'sqs' : 'dynamodb';
    assert(granted.has(`${service}:${name}`), `${operation} needs ${service}:${name}`);
  }
});
