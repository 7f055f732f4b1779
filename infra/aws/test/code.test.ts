import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';

import { App } from 'aws-cdk-lib';

import { NoCode } from '../lib/code.js';
import { type Machine, machineOfZip } from '../lib/machine.js';
import { readSettings } from '../lib/settings.js';
import { FanoutStack, binariesOf } from '../lib/stack.js';

/** The beginning of an executable. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}

/** A zip with one file, deflated or stored, and what follows it. */
function zip(content: Buffer, method: 0 | 8 = 8): Buffer {
  const name = Buffer.from('bootstrap');
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(name.length, 26);
  const directory = Buffer.from('PK\x01\x02 and so on', 'latin1');
  return Buffer.concat([header, name, method === 8 ? deflateRawSync(content) : content, directory]);
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'fanout-aws-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function write(path: string, content: Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

test('a zip tells for which processor it was built', (t) => {
  const path = join(directory(t), 'bootstrap.zip');
  const cases: [Buffer, Machine | undefined][] = [
    [zip(elf(183)), 'arm64'],
    [zip(elf(62)), 'x86_64'],
    [zip(elf(62), 0), 'x86_64'],
    [zip(elf(243)), undefined],
    [zip(Buffer.from('#!/bin/sh\nexec a long enough script')), undefined],
    [Buffer.from('PK'), undefined],
    [Buffer.alloc(0), undefined],
  ];
  for (const [content, machine] of cases) {
    assert.equal(machineOfZip(write(path, content)), machine);
  }
});

function deploy(functionsDirectory: string, given: object): FanoutStack {
  const settings = readSettings({ functionsDirectory, ...given });
  return new FanoutStack(new App(), 'Fanout', settings);
}

test('zips that are there, for this processor, are deployed', (t) => {
  const functions = directory(t);
  for (const binary of binariesOf(readSettings({}))) {
    write(join(functions, binary, 'bootstrap.zip'), zip(elf(183)));
  }
  assert(deploy(functions, {}) instanceof FanoutStack);
  assert.throws(() => deploy(functions, { architecture: 'x86_64' }), {
    constructor: NoCode,
    message: /has no x86_64 bootstrap\.zip of authorizer, connect, disconnect, message, publish, worker; only what is in .*target\/lambda is built here/,
  });
  assert.throws(() => deploy(functions, { canary: 'rate(5 minutes)' }), { message: /has no arm64 bootstrap\.zip of canary;/ });
});

/** What cargo is asked to build, by one that builds nothing. */
function cargoCalls(t: TestContext, given: Record<string, unknown>): string[] {
  const tools = directory(t);
  const calls = write(join(tools, 'calls'), Buffer.alloc(0));
  chmodSync(write(join(tools, 'cargo'), Buffer.from(`#!/bin/sh\necho "$@" >>'${calls}'\n`)), 0o755);
  const path = process.env['PATH'];
  t.after(() => (process.env['PATH'] = path));
  process.env['PATH'] = `${tools}:${path}`;
  try {
    new FanoutStack(new App(), 'Fanout', readSettings(given));
  } catch (error) {
    // Zips of an earlier build may be there, or not.
    assert(error instanceof NoCode, String(error));
  }
  return readFileSync(calls, 'utf8').trimEnd().split('\n');
}

test('all functions are built again, whatever zips are there', (t) => {
  const options = 'lambda build --profile deploy --locked --output-format zip --arm64 --package';
  const functions = ['authorizer', 'connect', 'disconnect', 'message', 'publish', 'worker'].map((name) => `--bin ${name}`).join(' ');
  assert.deepEqual(cargoCalls(t, { canary: 'rate(5 minutes)' }), [
    `${options} fanout-functions ${functions}`,
    `${options} fanout-canary --bin canary`,
  ]);
});

test('what the CDK needs no code for is not built', (t) => {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const settings = readSettings({ functionsDirectory: directory(t) });
  assert(new FanoutStack(app, 'Fanout', settings) instanceof FanoutStack);
});
