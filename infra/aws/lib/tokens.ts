/** How the functions learn to verify tokens. */

import { CfnOutput, RemovalPolicy, SecretValue } from 'aws-cdk-lib';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';

import { asksForTokens } from './invariants.js';
import { explain } from './nag.js';
import type { Settings } from './settings.js';

/** More than the 32 bytes that HS256 needs. */
const SECRET_LENGTH = 64;

/** How tokens are verified, and with HS256 signed. */
export interface Tokens {
  /** For functions that verify them. */
  readonly environment: Readonly<Record<string, string>>;
  /** For the canary, which signs its own; empty where it needs none. */
  readonly signing: Readonly<Record<string, string>>;
}

/**
 * Makes the settings that begin with `TOKEN_`.
 *
 * The functions read the secret from their environment. The template names it
 * alone: CloudFormation fills it in from Secrets Manager when it deploys (a
 * dynamic reference), so that it is in no template, change set or event. Lambda
 * encrypts environments; whoever may read the function’s configuration can read
 * the secret. SSM’s SecureString cannot be used: CloudFormation resolves it for
 * no Lambda property
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm-secure-strings.html).
 * With RS256 and ES256 there is no secret at all.
 */
export function tokensOf(scope: Construct, settings: Settings): Tokens {
  if (!asksForTokens(settings)) {
    return { environment: {}, signing: {} };
  }
  const shared = {
    TOKEN_ALGORITHM: settings.tokenAlgorithm,
    TOKEN_ISSUER: settings.tokenIssuer,
    TOKEN_AUDIENCE: settings.tokenAudience,
    TOKEN_LEEWAY_SECONDS: String(settings.tokenLeeway),
    TOKEN_ORG_CLAIM: settings.tokenOrgClaim,
    TOKEN_TOPICS_CLAIM: settings.tokenTopicsClaim,
  };
  if (settings.tokenAlgorithm !== 'HS256') {
    return { environment: { ...shared, TOKEN_JWKS_URL: settings.tokenJwksUrl }, signing: {} };
  }
  const secret = secretOf(scope, settings).unsafeUnwrap();
  return {
    environment: { ...shared, TOKEN_SECRET: secret },
    signing: {
      TOKEN_SECRET: secret,
      TOKEN_ISSUER: settings.tokenIssuer,
      TOKEN_AUDIENCE: settings.tokenAudience,
    },
  };
}

function secretOf(scope: Construct, settings: Settings): SecretValue {
  if (settings.tokenSecret !== '') {
    const version = settings.tokenSecretVersion === '' ? {} : { versionId: settings.tokenSecretVersion };
    return SecretValue.secretsManager(settings.tokenSecret, version);
  }
  const secret = new secretsmanager.Secret(scope, 'TokenSecret', {
    description: 'What tokens of subscribers and publishers are signed with',
    generateSecretString: { passwordLength: SECRET_LENGTH, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  explain(secret, 'SMG4', 'A new secret ends every token that was signed with the old one: it is changed on purpose alone.');
  new CfnOutput(scope, 'TokenSecretArn', { value: secret.secretArn, description: 'What tokens are signed with' });
  return secret.secretValue;
}
