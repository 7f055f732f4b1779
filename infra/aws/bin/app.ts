import { App } from 'aws-cdk-lib';

import { NoCode } from '../lib/code.js';
import { InvalidSettings, readSettings } from '../lib/settings.js';
import { FanoutStack } from '../lib/stack.js';

try {
  const app = new App();
  new FanoutStack(app, 'Fanout', readSettings(app.node.getAllContext(), process.env));
} catch (error) {
  if (!(error instanceof InvalidSettings || error instanceof NoCode)) {
    throw error;
  }
  // What was expected, and no stack trace.
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
