/** cdk-nag’s AwsSolutions: no finding, and no rule set aside without a reason. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AwsSolutionsChecks } from 'cdk-nag';

import { appWith } from './synthesis.js';

const DEPLOYMENTS = [
  {},
  { canary: 'rate(5 minutes)', alarmEmail: 'ops@shop.example' },
  { publisherAuth: 'iam', corsOrigins: 'https://shop.example', apiGatewayLogRole: 'existing' },
  { subscriberAuth: 'off', publisherAuth: 'off', canary: 'rate(1 hour)', removal: 'retain' },
  { tokenAlgorithm: 'ES256', tokenJwksUrl: 'https://keys.example/jwks', architecture: 'x86_64', region: 'eu-central-1' },
];

for (const settings of DEPLOYMENTS) {
  test(`nothing is found in ${JSON.stringify(settings)}`, () => {
    const { app, stack } = appWith(settings);
    // The constructs are looked at as they will be synthesized.
    app.synth();
    const { success, violations } = new AwsSolutionsChecks(stack).validateScope(stack);
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
    );
    assert.deepEqual(found, []);
    assert(success);
  });
}
