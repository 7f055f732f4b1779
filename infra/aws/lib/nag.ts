/** Why a rule of cdk-nag’s AwsSolutions does not hold for a construct. */

import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Acknowledges one rule, such as `DDB3`, for one construct and what is in it. */
export function explain(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}
