/** Why a rule of cdk-nag’s AwsSolutions does not hold for a construct. */

import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Acknowledges one rule, such as `DDB3`, or one of its findings, such as
 * `IAM5[Resource::*]`, for one construct and what is in it.
 */
export function explain(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** An ARN as findings have it: references are names in angle brackets. */
export function shown(scope: IConstruct, arn: string): string {
  const resolved = Stack.of(scope).resolve(arn) as string | { readonly 'Fn::Join': readonly [string, readonly (string | { readonly Ref: string })[]] };
  if (typeof resolved === 'string') {
    return resolved;
  }
  const [separator, parts] = resolved['Fn::Join'];
  return parts.map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join(separator);
}
