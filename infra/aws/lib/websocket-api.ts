/** The subscribers' side: the WebSocket API, its routes and its stage. */

import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnAccount } from 'aws-cdk-lib/aws-apigateway';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

import { accessLog } from './access-log.js';
import type { RustFunction } from './functions.js';
import { explain } from './nag.js';
import { ACTIONS } from './routes.js';
import type { Settings } from './settings.js';

/** The functions behind the API. */
export interface WebSocketFunctions {
  /** Only where subscribers have to show a token. */
  readonly authorizer: RustFunction | undefined;
  readonly connect: RustFunction;
  readonly disconnect: RustFunction;
  readonly message: RustFunction;
}

export class WebSocketApi extends Construct {
  readonly api: apigateway.WebSocketApi;
  readonly #settings: Settings;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    this.#settings = settings;
    this.api = new apigateway.WebSocketApi(this, 'Api', {
      apiName: `fanout-${settings.stage}-websocket`,
      description: 'Subscribers',
      routeSelectionExpression: '$request.body.action',
    });
  }

  /**
   * `https://…/STAGE`, where `@connections` are. Not the stage's own attribute:
   * the functions need it, and the stage needs the functions.
   */
  get managementEndpoint(): string {
    const { region, urlSuffix } = Stack.of(this);
    return `https://${this.api.apiId}.execute-api.${region}.${urlSuffix}/${this.#settings.stage}`;
  }

  /** Adds the routes and the stage; returns the log of accesses. */
  serve(functions: WebSocketFunctions): LogGroup {
    const { api } = this;
    const integration = (id: string, { function: handler }: RustFunction) => new WebSocketLambdaIntegration(id, handler);
    const routes = [
      api.addRoute('$connect', {
        integration: integration('Connect', functions.connect),
        ...(functions.authorizer === undefined ? {} : { authorizer: authorizerBy(functions.authorizer) }),
      }),
      api.addRoute('$disconnect', { integration: integration('Disconnect', functions.disconnect) }),
      ...['$default', ...ACTIONS].map((action) =>
        api.addRoute(action, {
          integration: integration(`Message-${action}`, functions.message),
          // Without it, what the function answers goes nowhere.
          returnResponse: true,
        }),
      ),
    ];
    for (const route of routes) {
      explain(
        route,
        'APIG4',
        functions.authorizer === undefined
          ? 'subscriberAuth is off: anybody was to listen.'
          : 'API Gateway asks the authorizer when a socket opens, and allows one on $connect alone.',
      );
    }
    return this.#stage(routes);
  }

  #stage(routes: readonly apigateway.WebSocketRoute[]): LogGroup {
    const settings = this.#settings;
    const log = accessLog(this, 'AccessLog', settings, {
      requestId: 'requestId',
      traceId: 'xrayTraceId',
      time: 'requestTime',
      eventType: 'eventType',
      routeKey: 'routeKey',
      connectionId: 'connectionId',
      status: 'status',
      sourceIp: 'identity.sourceIp',
      integrationStatus: 'integrationStatus',
      integrationLatencyMs: 'integrationLatency',
      integrationError: 'integrationErrorMessage',
      authorizerError: 'authorizer.error',
      error: 'error.message',
    });
    const stage = new apigateway.WebSocketStage(this, 'Stage', {
      webSocketApi: this.api,
      stageName: settings.stage,
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: { rateLimit: settings.messageRate, burstLimit: settings.messageRate },
      accessLogSettings: log.settings,
    });
    const throttle = (ratePerSecond: number, burst = ratePerSecond) => ({
      DetailedMetricsEnabled: true,
      ThrottlingRateLimit: ratePerSecond,
      ThrottlingBurstLimit: burst,
    });
    (stage.node.defaultChild as apigateway.CfnStage).routeSettings = {
      $connect: throttle(settings.connectRate),
      // One that is refused leaves a row behind until a push finds it gone.
      $disconnect: throttle(settings.accountRate, settings.accountBurst),
      sendmessage: throttle(settings.sendMessageRate),
    };
    // A stage cannot have settings of routes that are not there yet.
    stage.node.addDependency(...routes);
    if (settings.apiGatewayLogRole === 'create') {
      stage.node.addDependency(this.#logRole());
    }
    return log.logGroup;
  }

  /**
   * Lets API Gateway write logs of WebSocket APIs at all: a setting of the
   * account in the Region, which others rely on once it is there. It stays when
   * the stack goes.
   */
  #logRole(): CfnAccount {
    const role = new iam.Role(this, 'LogRole', {
      assumedBy: new iam.ServicePrincipal('apigateway.amazonaws.com'),
      description: 'Lets API Gateway write logs in this Region',
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs')],
    });
    const managed = 'Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs';
    explain(role, `IAM4[${managed}]`, "API Gateway takes the account's role only with these permissions, for every API's logs.");
    const account = new CfnAccount(this, 'Account', { cloudWatchRoleArn: role.roleArn });
    // An account that never had an API is refused the setting.
    account.node.addDependency(this.api);
    role.applyRemovalPolicy(RemovalPolicy.RETAIN);
    account.applyRemovalPolicy(RemovalPolicy.RETAIN);
    return account;
  }
}

/**
 * An authorizer without identity sources: all that were named would have to be
 * there, or API Gateway answered 401 by itself, and a token comes either in the
 * query or among the subprotocols. So the function is asked every time
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html).
 */
function authorizerBy({ function: handler }: RustFunction): WebSocketLambdaAuthorizer {
  return new WebSocketLambdaAuthorizer('Authorizer', handler, { identitySource: [] });
}
