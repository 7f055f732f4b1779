/** The functions' zips: found, or built by cargo-lambda. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

import { type Machine, machineOfZip } from './machine.js';
import type { Settings } from './settings.js';

/** `infra/aws`, seen from the compiled file. */
export const APP = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Where cargo-lambda puts its zips. */
const CARGO_LAMBDA_OUTPUT = resolve(APP, '../../target/lambda');

/** The package that each binary is in. */
const PACKAGES: Readonly<Record<string, string>> = { canary: 'fanout-canary' };
const DEFAULT_PACKAGE = 'fanout-functions';

/** The functions are not there, and could not be built. */
export class NoCode extends Error {}

/** Hands out the code of functions by the name of their binary. */
export class Code {
  readonly #settings: Settings;
  readonly #directory: string;
  readonly #isNeeded: boolean;

  /**
   * Finds or builds `binaries`; what is in another directory than cargo-lambda's
   * is taken as it is. The CDK's commands that need no code, such as
   * `destroy`, get placeholders.
   *
   * @throws NoCode if they are not there and cannot be built.
   */
  constructor(scope: Construct, settings: Settings, binaries: readonly string[]) {
    this.#settings = settings;
    this.#directory = resolve(APP, settings.functionsDirectory);
    this.#isNeeded = settings.functions !== 'placeholder' && Stack.of(scope).bundlingRequired;
    if (this.#isNeeded) {
      this.#provide(binaries);
    }
  }

  /** The code of a binary. */
  of(binary: string): lambda.Code {
    return lambda.Code.fromAsset(this.#isNeeded ? this.#zip(binary) : join(APP, 'placeholder'));
  }

  #zip(binary: string): string {
    return join(this.#directory, binary, 'bootstrap.zip');
  }

  #provide(binaries: readonly string[]): void {
    const isBuiltHere = this.#directory === CARGO_LAMBDA_OUTPUT;
    const isAlwaysBuilt = isBuiltHere && this.#settings.functions === 'always';
    const wanted = isAlwaysBuilt ? binaries : binaries.filter((binary) => this.#isUnfit(binary));
    if (wanted.length === 0) {
      return;
    }
    const named = wanted.join(', ');
    if (!isBuiltHere) {
      throw new NoCode(
        `${this.#directory}: has no ${this.#settings.architecture} bootstrap.zip of ${named}; ` +
          `only what is in ${CARGO_LAMBDA_OUTPUT} is built here`,
      );
    }
    process.stderr.write(`building ${named} for ${this.#settings.architecture} with cargo-lambda\n`);
    build(wanted, this.#settings.architecture);
    const left = wanted.filter((binary) => this.#isUnfit(binary));
    if (left.length > 0) {
      throw new NoCode(`cargo-lambda built no ${this.#settings.architecture} bootstrap.zip of ${left.join(', ')}`);
    }
  }

  #isUnfit(binary: string): boolean {
    const zip = this.#zip(binary);
    return !existsSync(zip) || machineOfZip(zip) !== this.#settings.architecture;
  }
}

/** Builds binaries into `target/lambda`. */
function build(binaries: readonly string[], machine: Machine): void {
  const packages = new Set(binaries.map((binary) => PACKAGES[binary] ?? DEFAULT_PACKAGE));
  for (const name of packages) {
    const own = binaries.filter((binary) => (PACKAGES[binary] ?? DEFAULT_PACKAGE) === name);
    const architecture = machine === 'arm64' ? '--arm64' : '--x86-64';
    const binary = own.flatMap((binary) => ['--bin', binary]);
    const options = ['--profile', 'deploy', '--locked', '--output-format', 'zip', architecture, '--package', name, ...binary];
    // Not to standard output, which is for the template.
    const built = spawnSync('cargo', ['lambda', 'build', ...options], {
      cwd: resolve(APP, '../..'),
      stdio: ['ignore', 2, 2],
    });
    if (built.error !== undefined || built.status !== 0) {
      throw new NoCode(
        'cargo lambda build failed. It needs Rust and cargo-lambda, as infra/aws/README.md installs them. Elsewhere, build ' +
          'with npm run build:functions, bring target/lambda here, and add --context functions=missing; ' +
          'to look at the template alone, add --context functions=placeholder',
      );
    }
  }
}
