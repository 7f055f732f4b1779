import { App } from 'aws-cdk-lib';

import { InvalidSettings, readSettings } from '../lib/settings.js';
import { FanoutStack } from '../lib/stack.js';

try {
  const app = new App();
  new FanoutStack(app, 'Fanout', readSettings(app.node.getAllContext(), process.env));
} catch (error) {
  // Not a stack trace, where the message says what to do.
  process.stderr.write(`${error instanceof InvalidSettings ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
