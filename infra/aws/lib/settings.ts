/**
 * The settings of a deployment, in one place: names, defaults, what is allowed
 * and what they mean.
 *
 * A setting comes from `--context name=value` or the `context` of `cdk.json`;
 * otherwise from the environment, `accountRate` from `FANOUT_AWS_ACCOUNT_RATE`;
 * otherwise it is the default. Everything that is wrong is reported together.
 */

import { problemsBetween } from './invariants.js';
import { minutesOf } from './rate.js';
import { type Setting, checkedText, choice, flag, number, text } from './setting.js';

/** A lane's name in messages, and its settings' common beginning. */
export type LaneName = 'notifications' | 'slices';

/**
 * Levels, each for everything or for one target. The functions take more, such
 * as a target without a level; but that is a misspelt level more often.
 */
const LOG_FILTER = /^(([A-Za-z_][\w:]*=)?(off|error|warn|info|debug|trace)(,(?!$)|$))+$/;

export const SETTINGS = {
  stage: text('prod', "the WebSocket API's stage, part of the stack's name and of its metrics' namespace", {
    pattern: /^[A-Za-z0-9-]{1,32}$/,
    expected: '1 to 32 letters, digits and hyphens',
  }),
  region: text('', 'the Region; empty for that of the AWS CLI', {
    pattern: /^([a-z]{2}(-[a-z]+)+-\d)?$/,
    expected: 'a Region such as eu-central-1',
  }),
  architecture: choice(['arm64', 'x86_64'], 'arm64', 'what the functions run on'),
  functions: choice(
    ['always', 'missing', 'placeholder'],
    'always',
    'when cargo-lambda builds the functions: always (what did not change costs seconds); only those that are missing or for the other architecture, for a machine without it; or never: placeholders cannot run, and are for looking at the template',
  ),
  functionsDirectory: text('../../target/lambda', 'where the zips are, as cargo-lambda lays them out; seen from infra/aws; elsewhere they are taken as they are'),
  functionMemory: number(256, [128, 10_240], 'MiB of each function that is no worker'),
  workerMemory: number(1_769, [128, 10_240], 'MiB of each worker; 1,769 is a whole processor'),

  accountRate: number(10_000, [1, 1_000_000], "requests a second that the account's API Gateway takes in this Region"),
  accountBurst: number(5_000, [1, 1_000_000], 'requests at once that it takes'),
  connectRate: number(100, [1, 1_000_000], 'new connections a second'),
  publishRate: number(200, [1, 1_000_000], "requests a second to the publisher's API"),
  messageRate: number(50, [1, 1_000_000], 'messages a second from all subscribers, on each of the six routes but sendmessage'),
  sendMessageRate: number(100, [1, 1_000_000], 'sendmessage messages a second from all subscribers'),

  notificationsShare: number(20, [1, 99], "percent of the account's rate and burst for workers on notifications"),
  notificationsConcurrency: number(2, [2, 1_000], 'workers at once on notifications'),
  notificationsTimeout: number(60, [15, 900], 'seconds that an invocation of them may take'),
  slicesShare: number(70, [1, 99], 'percent for workers on slices of large audiences'),
  slicesConcurrency: number(2, [2, 128], 'workers at once on slices'),
  slicesTimeout: number(300, [15, 900], 'seconds that an invocation of them may take'),
  notificationsVisibility: number(0, [0, 43_200], 'seconds that a task stays hidden while one works on it; 0 for six timeouts'),
  slicesVisibility: number(0, [0, 43_200], 'the same for slices'),
  segments: number(0, [0, 128], 'slices that everyone is cut into; 0 for four times the workers on slices'),
  reserveConcurrency: flag(true, "reserve the workers' concurrency; an account with few concurrent executions must say false"),

  subscriberAuth: choice(['jwt', 'off'], 'jwt', 'who may open a WebSocket; off: anybody'),
  publisherAuth: choice(['jwt', 'iam', 'off'], 'jwt', 'who may publish; off: anybody'),
  tokenAlgorithm: choice(['HS256', 'RS256', 'ES256'], 'HS256', 'how tokens are signed'),
  tokenSecret: text('', 'for HS256: name or ARN of the Secrets Manager secret, whose whole text is the key; empty: the stack makes one'),
  tokenSecretVersion: text('', "its version's id; set a new one to hand a new secret to the functions", {
    pattern: /^([A-Za-z0-9-]{32,64})?$/,
    expected: 'the id of a version',
  }),
  tokenJwksUrl: text('', 'for RS256 and ES256: where the keys are', { pattern: /^(https:\/\/\S+)?$/, expected: 'an https URL' }),
  tokenIssuer: text('fanout-local', 'what iss must be; that of fanout-local token unless you say otherwise'),
  tokenAudience: text('fanout', 'what aud must hold'),
  tokenLeeway: number(30, [0, 300], 'seconds that clocks may differ'),
  tokenOrgClaim: text('org', 'the claim that names the organisation'),
  tokenTopicsClaim: text('topics', 'the claim that names the topics allowed'),

  topicsParameter: text('topics', 'the query parameter that names topics', {
    pattern: /^[A-Za-z0-9._-]+$/,
    expected: 'letters, digits and . _ -',
  }),
  topicsRequired: flag(false, 'whether a connection must name a topic'),
  maxTopics: number(50, [1, 1_000], 'topics a connection may choose'),
  topicShards: number(4, [1, 1_000], "shards of each topic's subscriptions; do not change it while any are stored"),
  sendMessagePerMinute: text('', 'messages a connection may send; empty: none with jwt, otherwise 30', {
    pattern: /^\d{0,5}$/,
    expected: 'a whole number up to 60000, or nothing',
  }),
  corsOrigins: text('', 'origins whose pages may publish, separated by commas, or *'),
  eventSource: text('/notifications', 'the source of every CloudEvent'),
  maxFrameBytes: number(32_768, [1_024, 131_072], 'the largest frame; each 32 KiB of it is billed'),
  retentionSeconds: number(604_800, [60, 31_536_000], 'how long a notification and its ledger are kept'),

  logLevel: text('info', 'what functions log: a level, or a filter such as fanout_core=debug,warn', {
    pattern: LOG_FILTER,
    expected: 'off, error, warn, info, debug or trace, or a filter such as fanout_core=debug,warn',
  }),
  logRetentionDays: choice(
    ['1', '3', '5', '7', '14', '30', '60', '90', '120', '150', '180', '365', '400', '545', '731', '1096', '1827', '2192', '2557', '2922', '3288', '3653'],
    '30',
    'how long logs are kept',
  ),
  apiGatewayLogRole: choice(
    ['create', 'existing'],
    'create',
    'the role by which API Gateway writes WebSocket logs, one for the account and Region; existing: the account has one',
  ),
  alarmEmail: text('', 'who is told of alarms', { pattern: /^([^@\s]+@[^@\s]+)?$/, expected: 'an e-mail address' }),
  alarmTopicArn: text('', 'the SNS topic to tell, in place of one that the stack makes', {
    pattern: /^(arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:\S+)?$/,
    expected: 'the ARN of an SNS topic',
  }),
  alarmOldestSeconds: number(120, [1, 86_400], 'alarm when a task has waited this long, beside the time its work may take'),
  alarmThrottledPercent: number(10, [1, 100], 'alarm when this part of the pushes is throttled'),
  alarmUnfinishedSeconds: number(900, [60, 86_400], 'alarm when a notification this old is still not done'),

  removal: choice(['destroy', 'retain'], 'destroy', 'what becomes of the tables when the stack is destroyed'),
  deletionProtection: flag(false, 'whether DynamoDB refuses to delete the tables'),
  canary: checkedText('', 'how often the canary connects, publishes and waits for it, such as rate(5 minutes); empty: never', {
    isRight: (text) => text === '' || minutesOf(text) !== undefined,
    expected: 'rate(1 minute), rate(N minutes), rate(1 hour) or rate(N hours), at most a day',
  }),
} as const satisfies Record<string, Setting<unknown>>;

/** Every setting, read and checked. */
export type Settings = { readonly [Name in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Name]['read']> };

/** Settings that are wrong: each problem says what would be right. */
export class InvalidSettings extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`invalid settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'InvalidSettings';
  }
}

const ENVIRONMENT_PREFIX = 'FANOUT_AWS_';

/** The environment variable that sets a setting. */
export function variableOf(name: string): string {
  return ENVIRONMENT_PREFIX + name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * Reads the settings.
 *
 * @throws InvalidSettings if any of them is unknown, malformed, or does not go
 * with another one.
 */
export function readSettings(
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>> = {},
): Settings {
  const problems = unknownNames(context, environment);
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const given = context[name] ?? environment[variableOf(name)];
    try {
      settings[name] = given === undefined ? setting.default : setting.read(String(given));
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}, got ${JSON.stringify(given)}`);
    }
  }
  // What contradicts what can only be told when each is right.
  if (problems.length === 0) {
    problems.push(...problemsBetween(settings as Settings));
  }
  if (problems.length > 0) {
    throw new InvalidSettings(problems);
  }
  return settings as Settings;
}

/** A misspelt setting is a default that nobody asked for. */
function unknownNames(context: object, environment: object): string[] {
  const names = Object.keys(SETTINGS);
  const variables = names.map(variableOf);
  // The CDK's own context has names such as @aws-cdk/… and aws:cdk:….
  const own = Object.keys(context).filter((name) => /^[A-Za-z]+$/.test(name));
  const set = Object.keys(environment).filter((name) => name.startsWith(ENVIRONMENT_PREFIX));
  return [
    ...own.filter((name) => !names.includes(name)).map((name) => `${name}: is no setting; known are ${names.join(', ')}`),
    ...set.filter((name) => !variables.includes(name)).map((name) => `${name}: is the variable of no setting`),
  ];
}
