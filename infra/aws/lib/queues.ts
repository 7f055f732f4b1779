/** The queues of the two lanes and their dead letters. */

import { Duration } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import type { Lane } from './lanes.js';
import { explain } from './nag.js';
import type { LaneName } from './settings.js';

/**
 * AWS’s advice for a queue that a function reads is at least five
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
 */
const MAX_RECEIVE_COUNT = 5;
const TASKS_KEPT = Duration.days(4);
/**
 * A message keeps its age when it moves to the dead letters: they must be kept
 * longer than tasks are.
 */
const DEAD_LETTERS_KEPT = Duration.days(14);

export class Queues extends Construct {
  readonly notifications: sqs.Queue;
  readonly slices: sqs.Queue;
  /** Of both lanes: a worker of either takes any task. */
  readonly deadLetters: sqs.Queue;

  constructor(scope: Construct, id: string, lanes: Record<LaneName, Lane>) {
    super(scope, id);
    const shared = { encryption: sqs.QueueEncryption.SQS_MANAGED, enforceSSL: true };
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', { ...shared, retentionPeriod: DEAD_LETTERS_KEPT });
    explain(this.deadLetters, 'SQS3', 'It is the dead-letter queue.');
    const queue = (id: string, lane: Lane) =>
      new sqs.Queue(this, id, {
        ...shared,
        visibilityTimeout: Duration.seconds(lane.visibilitySeconds),
        retentionPeriod: TASKS_KEPT,
        deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: MAX_RECEIVE_COUNT },
      });
    this.notifications = queue('Notifications', lanes.notifications);
    this.slices = queue('Slices', lanes.slices);
  }
}
