/** The two lanes, and what each of their workers gets of the account's quota. */

import type { LaneName, Settings } from './settings.js';

/** Work of one kind, with its own queue and workers. */
export interface Lane {
  readonly name: LaneName;
  /** Workers at once. */
  readonly concurrency: number;
  /** Tasks in one invocation. */
  readonly batchSize: number;
  readonly timeoutSeconds: number;
  readonly visibilitySeconds: number;
  /** Pushes a second, and at once after a pause, of one worker. */
  readonly pushRate: number;
  readonly pushBurst: number;
}

/**
 * How many times a function's timeout a message stays hidden
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
 */
export const VISIBILITY_TIMEOUTS = 6;

/** The largest audience that a worker finishes itself. */
const LARGEST_SMALL_AUDIENCE = 1_000;
/**
 * Slices of everyone for each worker on slices: few enough that a slice is
 * worth an invocation, and a multiple, so that all of them end together.
 */
const SEGMENTS_EACH = 4;
/** The most time that a worker gets to end what it has begun. */
const LONGEST_DEADLINE_MARGIN_MS = 6_000;

/** Both lanes. */
export function lanesOf(settings: Settings): Record<LaneName, Lane> {
  return { notifications: laneOf(settings, 'notifications'), slices: laneOf(settings, 'slices') };
}

/** How a lane's workers are set, beside the tables and queues. */
export function workerEnvironment(settings: Settings, lane: Lane): Record<string, string> {
  // A push that is in flight when no more are started ends, is written down,
  // and what is left enqueued, all within the margin.
  const margin = Math.min(LONGEST_DEADLINE_MARGIN_MS, (lane.timeoutSeconds * 1_000) / 2);
  const numbers = {
    PUSH_RATE_PER_SECOND: lane.pushRate,
    PUSH_BURST: lane.pushBurst,
    DEADLINE_MARGIN_MS: Math.floor(margin),
    PUSH_TIMEOUT_MS: Math.floor(margin / 3),
    SMALL_AUDIENCE: Math.min(lane.pushBurst, LARGEST_SMALL_AUDIENCE),
    SEGMENTS: segmentsOf(settings),
  };
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]));
}

/** Into how many slices everyone is cut. */
export function segmentsOf(settings: Settings): number {
  return settings.segments || settings.slicesConcurrency * SEGMENTS_EACH;
}

function laneOf(settings: Settings, name: LaneName): Lane {
  const concurrency = settings[`${name}Concurrency`];
  const timeoutSeconds = settings[`${name}Timeout`];
  // Rounded down: what all workers get together is at most the lane's share.
  const ofEach = (quota: number) => Math.floor((quota * settings[`${name}Share`]) / 100 / concurrency);
  return {
    name,
    concurrency,
    // Notifications are many and small; a slice is work for a whole invocation,
    // and two in one would leave another worker idle.
    batchSize: name === 'notifications' ? 10 : 1,
    timeoutSeconds,
    visibilitySeconds: settings[`${name}Visibility`] || VISIBILITY_TIMEOUTS * timeoutSeconds,
    pushRate: ofEach(settings.accountRate),
    pushBurst: ofEach(settings.accountBurst),
  };
}
