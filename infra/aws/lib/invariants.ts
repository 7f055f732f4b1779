/** What must hold between settings. */

import { VISIBILITY_TIMEOUTS, lanesOf, segmentsOf } from './lanes.js';
import { routesByRate } from './routes.js';
import type { Settings } from './settings.js';

/** The most slices that the worker cuts everyone into. */
const MOST_SEGMENTS = 128;

/** Says what does not go together, and what would. */
export function problemsBetween(settings: Settings): string[] {
  return [...ofQuota(settings), ...ofLanes(settings), ...ofTokens(settings), ...ofTheRest(settings)];
}

function* ofQuota(settings: Settings): Generator<string> {
  const { notificationsShare, slicesShare, accountRate } = settings;
  const shares = notificationsShare + slicesShare;
  if (shares > 100) {
    yield `notificationsShare, slicesShare: the lanes share one quota: expected at most 100 together, got ${shares}`;
    return;
  }
  const left = Math.floor((accountRate * (100 - shares)) / 100);
  const routes = Object.entries(routesByRate(settings)) as [keyof ReturnType<typeof routesByRate>, number][];
  const taken = routes.map(([name, count]) => count * settings[name]).reduce((a, b) => a + b);
  if (taken > left) {
    const terms = routes.map(([name, count]) => (count === 1 ? name : `${count} ${name}`));
    yield `${routes.map(([name]) => name).join(', ')}: the lanes leave ${left} of accountRate, ` +
      `all routes may take ${taken} (${terms.join(' + ')}): lower them, or a lane's share`;
  }
}

function* ofLanes(settings: Settings): Generator<string> {
  for (const lane of Object.values(lanesOf(settings))) {
    const { name, pushRate, pushBurst, concurrency, timeoutSeconds, visibilitySeconds } = lane;
    if (pushRate < 1 || pushBurst < 1) {
      yield `${name}Concurrency: each of ${concurrency} workers must get at least one push a second and at once ` +
        "of the account's rate and burst: expected fewer workers, or a larger share";
    }
    const least = VISIBILITY_TIMEOUTS * timeoutSeconds;
    if (visibilitySeconds < least) {
      yield `${name}Visibility: expected at least six times ${name}Timeout, ${least}, got ${visibilitySeconds}`;
    }
  }
  const segments = segmentsOf(settings);
  if (segments % settings.slicesConcurrency !== 0) {
    yield `segments: expected a multiple of slicesConcurrency (${settings.slicesConcurrency}), got ${segments}`;
  }
  if (segments > MOST_SEGMENTS) {
    yield `slicesConcurrency: four slices a worker make ${segments}: set segments, at most ${MOST_SEGMENTS}`;
  }
}

function* ofTokens(settings: Settings): Generator<string> {
  const { tokenAlgorithm, tokenSecret, tokenSecretVersion, tokenJwksUrl, tokenIssuer, tokenAudience } = settings;
  if (!asksForTokens(settings)) {
    return;
  }
  if (tokenAlgorithm === 'HS256') {
    if (tokenJwksUrl !== '') {
      yield 'tokenJwksUrl: HS256 has a secret, not public keys: expected nothing, or another tokenAlgorithm';
    }
    if (tokenSecretVersion !== '' && tokenSecret === '') {
      yield 'tokenSecretVersion: expected tokenSecret as well';
    }
  } else {
    if (tokenJwksUrl === '') {
      yield `tokenJwksUrl: ${tokenAlgorithm} needs it: expected the https URL of a JWKS`;
    }
    if (tokenSecret !== '') {
      yield `tokenSecret: ${tokenAlgorithm} has public keys, not a secret: expected nothing, or HS256`;
    }
  }
  if (tokenIssuer === '' || tokenAudience === '') {
    yield 'tokenIssuer, tokenAudience: expected both, or tokens meant for others would do';
  }
}

function* ofTheRest(settings: Settings): Generator<string> {
  const { canary, publisherAuth, tokenAlgorithm, alarmEmail, alarmTopicArn, sendMessagePerMinute } = settings;
  if (canary !== '' && publisherAuth === 'iam') {
    yield 'canary: it publishes with a token or without, and signs nothing: expected publisherAuth jwt or off';
  }
  if (canary !== '' && asksForTokens(settings) && tokenAlgorithm !== 'HS256') {
    yield `canary: it can sign its tokens with HS256 alone, got tokenAlgorithm ${tokenAlgorithm}`;
  }
  if (alarmEmail !== '' && alarmTopicArn !== '') {
    yield 'alarmEmail: subscribe it to the topic of alarmTopicArn yourself: expected one of them';
  }
  if (Number(sendMessagePerMinute) > 60_000) {
    yield `sendMessagePerMinute: expected at most 60000, got ${sendMessagePerMinute}`;
  }
  const origins = settings.corsOrigins === '' || settings.corsOrigins === '*' ? [] : settings.corsOrigins.split(',');
  const wrong = origins.find((origin) => !isOrigin(origin.trim()));
  if (wrong !== undefined) {
    yield `corsOrigins: expected * or origins such as https://shop.example, separated by commas, got ${JSON.stringify(wrong)}`;
  }
}

/**
 * Whether a text is what a browser sends as `Origin`: no port that is the
 * scheme's own, no path, nothing that it would write otherwise.
 */
function isOrigin(text: string): boolean {
  return /^https?:\/\/[a-z0-9.[\]:_-]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Whether anybody has to show a token. */
export function asksForTokens(settings: Settings): boolean {
  return settings.subscriberAuth === 'jwt' || settings.publisherAuth === 'jwt';
}
