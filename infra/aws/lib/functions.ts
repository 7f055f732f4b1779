/** The functions: each with its own role, its own log and the least that it needs. */

import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import type { Code } from './code.js';
import { explain, shown } from './nag.js';
import type { Settings } from './settings.js';

/** What one function is and may do. */
export interface FunctionProps {
  readonly settings: Settings;
  readonly code: Code;
  /** The executable: the name of the Rust binary. */
  readonly binary: string;
  readonly description: string;
  readonly memory: number;
  readonly timeout: Duration;
  readonly environment: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
  /**
   * Whether it sends to the queue that drives it. Lambda would stop such a loop
   * after some sixteen rounds, without an error that the function could see
   * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
   */
  readonly isItsOwnSource?: boolean;
}

/** A Rust function on Lambda’s bare runtime. */
export class RustFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: FunctionProps) {
    super(scope, id);
    const { settings, binary } = props;
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: Number(settings.logRetentionDays),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${binary} may do`,
    });
    this.logGroup.grantWrite(this.role);
    explain(this.role, 'IAM5[Resource::*]', 'X-Ray knows no resources: its two actions are for all or none.');
    this.function = new lambda.Function(this, 'Function', {
      description: props.description,
      code: props.code.of(binary),
      handler: 'bootstrap',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: settings.architecture === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      memorySize: props.memory,
      timeout: props.timeout,
      environment: { METRICS_NAMESPACE: namespaceOf(settings), ...props.environment },
      role: this.role,
      tracing: lambda.Tracing.ACTIVE,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      // LOG_LEVEL alone decides what a function logs: Lambda is to drop nothing.
      applicationLogLevelV2: lambda.ApplicationLogLevel.TRACE,
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
      recursiveLoop: props.isItsOwnSource === true ? lambda.RecursiveLoop.ALLOW : lambda.RecursiveLoop.TERMINATE,
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
  }

  /** Lets it use a table, by actions of DynamoDB without their prefix. */
  mayUse(table: dynamodb.Table, ...actions: string[]): void {
    this.#allow(actions.map((action) => `dynamodb:${action}`), table.tableArn);
  }

  /** Lets it send to queues. */
  maySendTo(...queues: sqs.Queue[]): void {
    for (const queue of queues) {
      this.#allow(['sqs:SendMessage'], queue.queueArn);
    }
  }

  /** Lets it receive from a queue, as an event-source mapping does for it. */
  mayReceiveFrom(queue: sqs.Queue): void {
    this.#allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], queue.queueArn);
  }

  /** Lets it call the `@connections` API of one stage, by HTTP methods. */
  mayManageConnections(apiId: string, stage: string, ...methods: string[]): void {
    for (const method of methods) {
      const resourceName = `${stage}/${method}/@connections/*`;
      const arn = Stack.of(this).formatArn({ service: 'execute-api', resource: apiId, resourceName });
      this.#allow(['execute-api:ManageConnections'], arn);
      explain(this.role, `IAM5[Resource::${shown(this, arn)}]`, 'The ids of connections are not known beforehand: all of this stage.');
    }
  }

  #allow(actions: string[], resource: string): void {
    this.role.addToPolicy(new iam.PolicyStatement({ actions, resources: [resource] }));
  }
}

/** The namespace of a deployment’s metrics: it is the deployment. */
export function namespaceOf(settings: Settings): string {
  return `Fanout/${settings.stage}`;
}
