/** Access logs: one JSON line for each request, never with a query or a token. */

import { RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { type IAccessLogSettings, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

import type { Settings } from './settings.js';

/**
 * Makes a log with these fields; each is a `$context` variable
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html,
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-mapping-template-reference.html).
 */
export function accessLog(
  scope: Construct,
  id: string,
  settings: Settings,
  fields: Readonly<Record<string, string>>,
): { readonly logGroup: logs.LogGroup; readonly settings: IAccessLogSettings } {
  const logGroup = new logs.LogGroup(scope, id, {
    retention: Number(settings.logRetentionDays),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const line = Object.fromEntries(Object.entries(fields).map(([name, variable]) => [name, `$context.${variable}`]));
  return {
    logGroup,
    settings: {
      destination: new LogGroupLogDestination(logGroup),
      format: AccessLogFormat.custom(JSON.stringify(line)),
    },
  };
}
