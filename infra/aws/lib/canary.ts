/** The canary: connects, publishes, and waits for what it published. */

import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';

import type { Code } from './code.js';
import { RustFunction } from './functions.js';
import type { Settings } from './settings.js';

const TIMEOUT = Duration.minutes(1);

/** How the canary names topics unless it is told otherwise. */
const TOPICS_PARAMETER = 'topics';

export interface CanaryProps {
  readonly settings: Settings;
  readonly code: Code;
  readonly urls: { readonly webSocket: string; readonly publish: string };
  /** What it signs its tokens with; empty where nobody asks for one. */
  readonly signing: Readonly<Record<string, string>>;
}

/** Adds the function and its schedule. */
export function addCanary(scope: Construct, { settings, code, urls, signing }: CanaryProps): RustFunction {
  const canary = new RustFunction(scope, 'Canary', {
    settings,
    code,
    binary: 'canary',
    description: 'Publishes to itself, as a customer would',
    memory: settings.functionMemory,
    timeout: TIMEOUT,
    environment: {
      CANARY_WS_URL: urls.webSocket,
      CANARY_PUBLISH_URL: urls.publish,
      // It waits for what is addressed to its connection: any topic will do.
      ...(settings.topicsRequired ? { CANARY_TOPICS: 'canary' } : {}),
      ...(settings.topicsParameter === TOPICS_PARAMETER ? {} : { CANARY_TOPICS_PARAMETER: settings.topicsParameter }),
      ...signing,
    },
  });
  // Lambda would try twice more, and count three failures of one canary.
  canary.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
  new events.Rule(canary, 'Schedule', {
    description: 'When the canary sings',
    schedule: events.Schedule.expression(settings.canary),
    // A late one says nothing of now.
    targets: [new LambdaFunction(canary.function, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
  });
  return canary;
}
