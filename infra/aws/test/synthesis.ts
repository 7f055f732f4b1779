/** Synthesized stacks, and their parts by the names that the code gives them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';

import { APP } from '../lib/code.js';
import { readSettings } from '../lib/settings.js';
import { FanoutStack } from '../lib/stack.js';

export interface Resource {
  readonly Type: string;
  // What a type has is CloudFormation’s to say.
  readonly Properties: Record<string, any>;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly Metadata?: Record<string, string>;
}

interface SynthesizedTemplate {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

/** A file of the repository. */
export function read(path: string): string {
  return readFileSync(join(APP, '../..', path), 'utf8');
}

/** The CDK’s own context, as the command line reads it. */
const FLAGS = JSON.parse(readFileSync(join(APP, 'cdk.json'), 'utf8')).context as Record<string, unknown>;

/** The app with these settings, its functions placeholders. */
export function appWith(given: Readonly<Record<string, unknown>>): { readonly app: App; readonly stack: FanoutStack } {
  const context = { functions: 'placeholder', ...given };
  const app = new App({ context: { ...FLAGS, 'aws:cdk:enable-path-metadata': true, ...context } });
  return { app, stack: new FanoutStack(app, 'Fanout', readSettings(context)) };
}

const known = new Map<string, Synthesis>();

/** Synthesizes with these settings, once. */
export function synthesize(given: Readonly<Record<string, unknown>> = {}): Synthesis {
  const key = JSON.stringify(given);
  const synthesis = known.get(key) ?? new Synthesis(Template.fromStack(appWith(given).stack).toJSON() as SynthesizedTemplate);
  known.set(key, synthesis);
  return synthesis;
}

/** A template. Resources are told apart by their paths in the app, such as `Worker/Function`. */
export class Synthesis {
  readonly #paths: ReadonlyMap<string, string>;
  readonly #resources: Readonly<Record<string, Resource>>;

  constructor(readonly template: SynthesizedTemplate) {
    this.#resources = template.Resources;
    this.#paths = new Map(Object.entries(this.#resources).map(([id, resource]) => [id, pathOf(resource, id)]));
  }

  /** The resources of a type, by path. */
  all(type: string): Map<string, Resource> {
    const found = Object.entries(this.#resources).filter(([, resource]) => resource.Type === type);
    return new Map(found.map(([id, resource]) => [this.#paths.get(id) ?? id, resource]));
  }

  /** One resource by its path. */
  one(path: string): Resource {
    const found = Object.entries(this.#resources).find(([id]) => this.#paths.get(id) === path);
    if (found === undefined) {
      throw new Error(`there is no ${path}; there are ${[...this.#paths.values()].join(', ')}`);
    }
    return found[1];
  }

  /** A value with references to resources as their paths in braces. */
  text(value: unknown): string {
    if (typeof value !== 'object' || value === null) {
      return String(value);
    }
    const [[name, argument] = ['', undefined]] = Object.entries(value) as [string, unknown][];
    switch (name) {
      case 'Ref':
        return `{${this.#paths.get(argument as string) ?? (argument as string)}}`;
      case 'Fn::GetAtt': {
        const [id, attribute] = argument as [string, string];
        return `{${this.#paths.get(id) ?? id}.${attribute}}`;
      }
      case 'Fn::Join': {
        const [separator, parts] = argument as [string, unknown[]];
        return parts.map((part) => this.text(part)).join(separator);
      }
      default:
        throw new Error(`cannot read ${JSON.stringify(value)}`);
    }
  }
}

function pathOf(resource: Resource, id: string): string {
  const path = resource.Metadata?.['aws:cdk:path'] ?? id;
  return path.replace(/^Fanout\//, '').replace(/\/Resource$/, '');
}
