/** The three tables: keys and expiry are what `core/src/aws/dynamodb` relies on. */

import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';

import { explain } from './nag.js';
import type { Settings } from './settings.js';

/** When a row may be deleted, in seconds since 1970. */
const EXPIRES_AT = 'expiresAt';

export class Tables extends Construct {
  /** A row for each socket. */
  readonly connections: dynamodb.Table;
  /** Who listens to a topic, by shards. */
  readonly subscriptions: dynamodb.Table;
  /** Notifications, their ledger by parts, and idempotency keys. */
  readonly notifications: dynamodb.Table;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const table = (id: string, keys: readonly [string] | readonly [string, string], recover: boolean) => {
      const attribute = (name: string) => ({ name, type: dynamodb.AttributeType.STRING });
      const [partition, sort] = keys;
      return new dynamodb.Table(this, id, {
        partitionKey: attribute(partition),
        ...(sort === undefined ? {} : { sortKey: attribute(sort) }),
        billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
        // With a key of AWS's own, which costs nothing for each request.
        encryption: dynamodb.TableEncryption.DEFAULT,
        timeToLiveAttribute: EXPIRES_AT,
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: recover },
        deletionProtection: settings.deletionProtection,
        removalPolicy: settings.removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      });
    };
    this.connections = table('Connections', ['connectionId'], false);
    this.subscriptions = table('Subscriptions', ['topicShard', 'connectionId'], false);
    this.notifications = table('Notifications', ['notificationId', 'part'], true);
    for (const disposable of [this.connections, this.subscriptions]) {
      explain(disposable, 'DDB3', 'Rows of open sockets: a restored one would name sockets that are long closed.');
    }
  }
}
