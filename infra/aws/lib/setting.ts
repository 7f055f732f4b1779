/** The kinds of settings: each reads a text, or says what it expected. */

/** One setting. */
export interface Setting<Value> {
  readonly default: Value;
  /** What it is for, as the README's table has it. */
  readonly meaning: string;
  /** @throws Error `expected …`, without what was given. */
  readonly read: (text: string) => Value;
}

/** A whole number from `range[0]` to `range[1]`. */
export function number(initial: number, range: readonly [number, number], meaning: string): Setting<number> {
  const [least, most] = range;
  return {
    default: initial,
    meaning,
    read(text) {
      const value = Number(text);
      if (!/^\d+$/.test(text) || value < least || value > most) {
        throw new Error(`expected a whole number from ${least} to ${most}`);
      }
      return value;
    },
  };
}

/** One of a few words. */
export function choice<const Word extends string>(
  words: readonly Word[],
  initial: NoInfer<Word>,
  meaning: string,
): Setting<Word> {
  return {
    default: initial,
    meaning,
    read(text) {
      const word = words.find((word) => word === text);
      if (word === undefined) {
        throw new Error(`expected ${words.join(', ').replace(/, ([^,]*)$/, ' or $1')}`);
      }
      return word;
    },
  };
}

/** `true` or `false`. */
export function flag(initial: boolean, meaning: string): Setting<boolean> {
  const { read } = choice(['true', 'false'], 'false', meaning);
  return { default: initial, meaning, read: (text) => read(text) === 'true' };
}

/** A text, where it matters of a form; `expected` says which. */
export function text(
  initial: string,
  meaning: string,
  { pattern, expected }: { readonly pattern: RegExp; readonly expected: string } = { pattern: /^/, expected: 'a text' },
): Setting<string> {
  return checkedText(initial, meaning, { isRight: (text) => pattern.test(text), expected });
}

/** A text of a form that a pattern says badly. */
export function checkedText(
  initial: string,
  meaning: string,
  form: { readonly isRight: (text: string) => boolean; readonly expected: string },
): Setting<string> {
  return {
    default: initial,
    meaning,
    read(text) {
      if (!form.isRight(text)) {
        throw new Error(`expected ${form.expected}`);
      }
      return text;
    },
  };
}
