// The local stack as a process, on ports of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const STARTS_WITHIN_MS = 30_000;
const STOPS_WITHIN_MS = 15_000;

/**
 * Starts `fanout-local`, the executable that FANOUT_LOCAL names, and waits
 * until it is ready. The stack is stopped when the test ends.
 *
 * Returns `{ http, ws, stop }`: the addresses of its ready line, and how to
 * stop it before.
 */
export async function startStack(t, options = [], { http = '127.0.0.1:0', ws = '127.0.0.1:0' } = {}) {
  const program = process.env.FANOUT_LOCAL;
  if (!program) throw new Error('FANOUT_LOCAL: expected the path of the executable fanout-local');
  const child = spawn(program, ['--http', http, '--ws', ws, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    const killed = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
    await ended;
    clearTimeout(killed);
  };
  t.after(stop);
  const late = setTimeout(() => child.kill('SIGKILL'), STARTS_WITHIN_MS);
  let printed = '';
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    printed += text;
    const ready = /^ready http=(\S+) ws=(\S+) /m.exec(printed);
    if (!ready) continue;
    clearTimeout(late);
    child.stdout.resume();
    return { http: ready[1], ws: ready[2], stop };
  }
  clearTimeout(late);
  const [code, signal] = await ended;
  throw new Error(`the stack ended before it was ready: ${code ?? signal}`);
}
