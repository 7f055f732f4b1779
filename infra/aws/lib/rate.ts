/** EventBridge's rates: how often a schedule fires. */

/** A day: less often, a canary says nothing in time. */
const MOST_MINUTES = 24 * 60;

/**
 * The minutes between two events of `rate(N minutes)` or `rate(N hours)`, from
 * one minute to one day; `undefined` if it is no such rate. One is singular
 * (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html).
 */
export function minutesOf(rate: string): number | undefined {
  const [, digits, unit, plural] = /^rate\(([1-9]\d{0,3}) (minute|hour)(s?)\)$/.exec(rate) ?? [];
  if (digits === undefined || (digits === '1') === (plural === 's')) {
    return undefined;
  }
  const minutes = Number(digits) * (unit === 'hour' ? 60 : 1);
  return minutes <= MOST_MINUTES ? minutes : undefined;
}
