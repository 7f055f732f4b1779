/** The routes of both APIs, and how many requests a second each takes. */

import type { Settings } from './settings.js';

/**
 * The actions with a route of their own, all to the same function: so that each
 * has its own metrics and throttle. What has none (`GET_CONNECTION_ID`, and
 * whatever is no action) is for `$default`.
 */
export const ACTIONS = ['whoami', 'echo', 'ping', 'subscribe', 'unsubscribe', 'sendmessage'] as const;

/** Whether preflights have a route of their own: a browser signs none. */
export function hasPreflightRoute(settings: Settings): boolean {
  return settings.publisherAuth === 'iam' && settings.corsOrigins !== '';
}

/**
 * How many routes take the rate of each setting. A stage's throttle holds for
 * each of its routes by itself; the account's quota for all of them together
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
 */
export function routesByRate(settings: Settings) {
  return {
    // $disconnect is not held to it, but what closes has opened.
    connectRate: ['$connect', '$disconnect'].length,
    publishRate: hasPreflightRoute(settings) ? 2 : 1,
    messageRate: ['$default', ...ACTIONS].length - 1,
    sendMessageRate: 1,
  } as const;
}
