/** The publishers' side: the HTTP API. */

import { Duration } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

import { accessLog } from './access-log.js';
import type { RustFunction } from './functions.js';
import { explain } from './nag.js';
import { hasPreflightRoute } from './routes.js';
import type { Settings } from './settings.js';

export class PublisherApi extends Construct {
  readonly api: apigateway.HttpApi;
  readonly accessLog: LogGroup;

  /** Makes the API in front of `publish`. */
  constructor(scope: Construct, id: string, settings: Settings, publish: RustFunction) {
    super(scope, id);
    this.api = new apigateway.HttpApi(this, 'Api', {
      apiName: `fanout-${settings.stage}-publisher`,
      description: 'Publishers',
      createDefaultStage: false,
    });
    const integration = new HttpLambdaIntegration('Publish', publish.function, {
      timeout: publish.function.timeout ?? Duration.seconds(29),
    });
    // One route: the function tells paths apart, and answers those that it does
    // not serve with a problem document; API Gateway would not.
    const all = new apigateway.HttpRoute(this, 'All', {
      httpApi: this.api,
      routeKey: apigateway.HttpRouteKey.DEFAULT,
      integration,
      ...(settings.publisherAuth === 'iam' ? { authorizer: new HttpIamAuthorizer() } : {}),
    });
    if (settings.publisherAuth === 'jwt') {
      explain(all, 'APIG4', "The function verifies tokens itself: API Gateway's JWT authorizer knows no HS256.");
    } else if (settings.publisherAuth === 'off') {
      explain(all, 'APIG4', 'publisherAuth is off: anybody was to publish.');
    } else if (hasPreflightRoute(settings)) {
      this.#letPreflightsIn(integration);
    }
    const log = accessLog(this, 'AccessLog', settings, {
      requestId: 'requestId',
      time: 'requestTime',
      method: 'httpMethod',
      // Without the query.
      path: 'path',
      status: 'status',
      responseLength: 'responseLength',
      latencyMs: 'responseLatency',
      sourceIp: 'identity.sourceIp',
      integrationStatus: 'integrationStatus',
      integrationError: 'integrationErrorMessage',
      authorizerError: 'authorizer.error',
      error: 'error.message',
    });
    this.accessLog = log.logGroup;
    new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: { rateLimit: settings.publishRate, burstLimit: settings.publishRate },
      accessLogSettings: log.settings,
    });
  }

  /** A browser asks whether it may call before it signs anything. */
  #letPreflightsIn(integration: HttpLambdaIntegration): void {
    const preflight = new apigateway.HttpRoute(this, 'Preflight', {
      httpApi: this.api,
      routeKey: apigateway.HttpRouteKey.with('/{path+}', apigateway.HttpMethod.OPTIONS),
      integration,
    });
    explain(preflight, 'APIG4', 'Browsers send no credentials with a preflight request; the function does nothing for one.');
  }
}
