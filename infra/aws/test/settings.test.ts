import assert from 'node:assert/strict';
import { test } from 'node:test';

import { InvalidSettings, SETTINGS, readSettings, variableOf } from '../lib/settings.js';
import { read } from './synthesis.js';

/** Expects one problem and nothing else. */
function refuses(given: Record<string, unknown>, problem: string): void {
  assert.throws(
    () => readSettings(given),
    (error) => {
      assert(error instanceof InvalidSettings);
      assert.deepEqual(error.problems, [problem]);
      return true;
    },
  );
}

test('without settings there are defaults, and they go together', () => {
  const settings = readSettings({});
  for (const [name, setting] of Object.entries(SETTINGS)) {
    assert.equal(settings[name as keyof typeof settings], setting.default, name);
  }
});

test('the context goes before the environment, and that before the default', () => {
  const environment = { FANOUT_AWS_STAGE: 'test', FANOUT_AWS_ACCOUNT_RATE: '2500', FANOUT_AWS_SLICES_SHARE: '30' };
  const settings = readSettings({ stage: 'dev' }, environment);
  assert.equal(settings.stage, 'dev');
  assert.equal(settings.accountRate, 2_500);
  assert.equal(settings.accountBurst, 5_000);
});

test('a value of cdk.json is one of the command line', () => {
  const settings = readSettings({ slicesShare: 60, topicsRequired: true });
  assert.deepEqual(settings, readSettings({ slicesShare: '60', topicsRequired: 'true' }));
});

test('a malformed setting says what would be right', () => {
  refuses({ architecture: 'arm' }, 'architecture: expected arm64 or x86_64, got "arm"');
  refuses({ accountRate: '10k' }, 'accountRate: expected a whole number from 1 to 1000000, got "10k"');
  refuses({ accountRate: '' }, 'accountRate: expected a whole number from 1 to 1000000, got ""');
  refuses({ accountRate: 0.5 }, 'accountRate: expected a whole number from 1 to 1000000, got 0.5');
  refuses({ notificationsTimeout: 901 }, 'notificationsTimeout: expected a whole number from 15 to 900, got 901');
  refuses({ topicsRequired: 'yes' }, 'topicsRequired: expected true or false, got "yes"');
  refuses({ stage: 'a b' }, 'stage: expected 1 to 32 letters, digits and hyphens, got "a b"');
  refuses({ region: 'Frankfurt' }, 'region: expected a Region such as eu-central-1, got "Frankfurt"');
  refuses({ tokenJwksUrl: 'http://keys.example' }, 'tokenJwksUrl: expected an https URL, got "http://keys.example"');
  refuses({ alarmTopicArn: 'alarms' }, 'alarmTopicArn: expected the ARN of an SNS topic, got "alarms"');
  refuses({ logLevel: 'loud' }, 'logLevel: expected off, error, warn, info, debug or trace, or a filter such as fanout_core=debug,warn, got "loud"');
});

test('a log filter names a level, for everything or for a target', () => {
  for (const logLevel of ['off', 'trace', 'fanout_core=debug,warn', 'fanout_core::push=trace,aws_smithy_runtime=off']) {
    assert.equal(readSettings({ logLevel }).logLevel, logLevel);
  }
  for (const logLevel of ['', 'verbose', 'fanout_core', 'fanout_core=loud', 'info,', ',info', 'info debug', '=info', 'fanout_core=']) {
    assert.throws(() => readSettings({ logLevel }), { message: /^invalid settings:\n {2}logLevel: expected off, error,/ }, logLevel);
  }
});

test('the canary flies at a rate that EventBridge takes, at least once a day', () => {
  for (const canary of ['', 'rate(1 minute)', 'rate(2 minutes)', 'rate(1440 minutes)', 'rate(1 hour)', 'rate(24 hours)']) {
    assert.equal(readSettings({ canary }).canary, canary);
  }
  const wrong = ['5 minutes', 'rate(0 minutes)', 'rate(1 minutes)', 'rate(5 minute)', 'rate(1441 minutes)', 'rate(25 hours)'];
  for (const canary of [...wrong, 'rate(1 day)', 'rate(05 minutes)', 'rate(5  minutes)', 'cron(0 * * * ? *)', ' rate(1 hour)']) {
    const expected = 'rate(1 minute), rate(N minutes), rate(1 hour) or rate(N hours), at most a day';
    refuses({ canary }, `canary: expected ${expected}, got ${JSON.stringify(canary)}`);
  }
});

test('event sources take no fewer than two workers', () => {
  refuses({ notificationsConcurrency: 1 }, 'notificationsConcurrency: expected a whole number from 2 to 1000, got 1');
  refuses({ slicesConcurrency: 1 }, 'slicesConcurrency: expected a whole number from 2 to 128, got 1');
});

test('an unknown name is told of, and everything that is wrong together', () => {
  assert.throws(() => readSettings({ stage: '', accountrate: 1 }, { FANOUT_AWS_BURST: '1' }), {
    name: 'InvalidSettings',
    message: new RegExp(
      '^invalid settings:\n  accountrate: is no setting; known are stage, .*\n' +
        '  FANOUT_AWS_BURST: is the variable of no setting\n  stage: expected .*, got ""$',
    ),
  });
});

test('what is not of these settings is left alone', () => {
  readSettings({ '@aws-cdk/core:checkSecretUsage': true, 'aws:cdk:bundling-stacks': [], 'cli-telemetry': false }, { FANOUT_LOCAL: 'x' });
});

test('the lanes share one quota', () => {
  refuses(
    { notificationsShare: 40, slicesShare: 61 },
    'notificationsShare, slicesShare: the lanes share one quota: expected at most 100 together, got 101',
  );
  refuses(
    { slicesShare: 75 },
    'connectRate, publishRate, messageRate, sendMessageRate: the lanes leave 500 of accountRate, all routes may take 800 ' +
      "(2 connectRate + publishRate + 6 messageRate + sendMessageRate): lower them, or a lane's share",
  );
  readSettings({ publishRate: 400 });
  refuses(
    { publishRate: 400, publisherAuth: 'iam', corsOrigins: '*' },
    'connectRate, publishRate, messageRate, sendMessageRate: the lanes leave 1000 of accountRate, all routes may take 1400 ' +
      "(2 connectRate + 2 publishRate + 6 messageRate + sendMessageRate): lower them, or a lane's share",
  );
  refuses(
    { accountBurst: 9, notificationsConcurrency: 4 },
    "notificationsConcurrency: each of 4 workers must get at least one push a second and at once of the account's rate and burst: " +
      'expected fewer workers, or a larger share',
  );
});

test('a task stays hidden for six timeouts', () => {
  refuses({ slicesVisibility: 1_799 }, 'slicesVisibility: expected at least six times slicesTimeout, 1800, got 1799');
  readSettings({ slicesVisibility: 1_800 });
});

test('everyone is cut into a multiple of the workers on slices', () => {
  refuses({ segments: 9 }, 'segments: expected a multiple of slicesConcurrency (2), got 9');
  refuses({ slicesConcurrency: 33 }, 'slicesConcurrency: four slices a worker make 132: set segments, at most 128');
  readSettings({ slicesConcurrency: 33, segments: 99 });
});

test('tokens can be verified', () => {
  refuses({ tokenAlgorithm: 'RS256' }, 'tokenJwksUrl: RS256 needs it: expected the https URL of a JWKS');
  refuses(
    { tokenAlgorithm: 'ES256', tokenJwksUrl: 'https://keys.example', tokenSecret: 's' },
    'tokenSecret: ES256 has public keys, not a secret: expected nothing, or HS256',
  );
  refuses(
    { tokenJwksUrl: 'https://keys.example' },
    'tokenJwksUrl: HS256 has a secret, not public keys: expected nothing, or another tokenAlgorithm',
  );
  refuses({ tokenSecretVersion: '0'.repeat(32) }, 'tokenSecretVersion: expected tokenSecret as well');
  refuses({ tokenIssuer: '' }, 'tokenIssuer, tokenAudience: expected both, or tokens meant for others would do');
  readSettings({ tokenAlgorithm: 'RS256', subscriberAuth: 'off', publisherAuth: 'off' });
});

test('the canary can publish', () => {
  const canary = 'rate(5 minutes)';
  refuses(
    { canary, publisherAuth: 'iam' },
    'canary: it publishes with a token or without, and signs nothing: expected publisherAuth jwt or off',
  );
  refuses(
    { canary, tokenAlgorithm: 'RS256', tokenJwksUrl: 'https://keys.example' },
    'canary: it can sign its tokens with HS256 alone, got tokenAlgorithm RS256',
  );
});

test('what the functions would refuse is refused here', () => {
  refuses(
    { corsOrigins: 'https://shop.example,shop.example' },
    'corsOrigins: expected * or origins such as https://shop.example, separated by commas, got "shop.example"',
  );
  for (const origin of ['https://shop.example:443', 'http://shop.example:80', 'https://shop.example:080', 'https://[0::1]']) {
    refuses(
      { corsOrigins: `https://other.example, ${origin}` },
      `corsOrigins: expected * or origins such as https://shop.example, separated by commas, got " ${origin}"`,
    );
  }
  readSettings({ corsOrigins: 'http://localhost:8080, https://[::1]:8443,http://shop.example:443' });
  refuses({ sendMessagePerMinute: '60001' }, 'sendMessagePerMinute: expected at most 60000, got 60001');
  refuses(
    { alarmEmail: 'ops@shop.example', alarmTopicArn: 'arn:aws:sns:eu-central-1:111122223333:alarms' },
    'alarmEmail: subscribe it to the topic of alarmTopicArn yourself: expected one of them',
  );
});

test("a variable is the setting's name in capitals", () => {
  assert.equal(variableOf('accountRate'), 'FANOUT_AWS_ACCOUNT_RATE');
});

test('the README lists every setting as it is', () => {
  const rows = read(`infra/aws/README.md`)
    .split('\n')
    .filter((line) => /^\| `[A-Za-z]+` \|/.test(line));
  const expected = Object.entries(SETTINGS).map(([name, setting]) => {
    const initial = setting.default === '' ? '' : `\`${setting.default}\``;
    return `| \`${name}\` | ${setting.meaning} | ${initial} |`.replaceAll('  ', ' ');
  });
  assert.deepEqual(rows, expected);
});
