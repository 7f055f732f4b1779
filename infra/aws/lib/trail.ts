/** The saved query that follows one notification. */

import { CfnQueryDefinition, type LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

import type { Settings } from './settings.js';

/**
 * Adds a query over all logs of a deployment. Both ids are found as texts: they
 * stand at different depths in the lines of functions, metrics and accesses.
 */
export function addTrail(scope: Construct, settings: Settings, logGroups: readonly LogGroup[]): void {
  new CfnQueryDefinition(scope, 'Trail', {
    name: `fanout-${settings.stage}/follow a notification`,
    logGroupNames: logGroups.map(({ logGroupName }) => logGroupName),
    queryString: [
      '# Put the notification’s id, or the Root of its trace id, between the slashes.',
      'fields @timestamp, level, fields.message, fields.outcome, fields.part, status, @log, @message',
      '| filter @message like /NOTIFICATION-OR-TRACE-ID/',
      '| sort @timestamp asc',
      '| limit 1000',
    ].join('\n'),
  });
}
