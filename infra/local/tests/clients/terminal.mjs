// The programs that tutorials have their readers type, as a terminal runs them.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const WSCAT = fileURLToPath(new URL('node_modules/.bin/wscat', import.meta.url));
const WAITS_MS = 15_000;
const COLORS = /\u001b\[[0-9;]*[A-Za-z]/g;

/**
 * Runs `wscat -c address` at a terminal of its own, and waits until it says
 * that it is connected. It is ended with Ctrl-C when the test ends.
 *
 * Returns `{ type, sees }`: `type(line)` types a line, `sees(pattern)` waits
 * until the screen shows a received frame that matches, and returns the frame.
 */
export async function wscat(t, address) {
  // Without a terminal wscat neither says that it is connected, nor marks what
  // it has received.
  const command = `exec '${WSCAT}' -c '${address}'`;
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { screen += text.replace(COLORS, ''); });
  child.stdin.on('error', () => {}); // it has ended, which the test sees elsewhere
  t.after(async () => {
    child.stdin.write('\u0003');
    const killed = setTimeout(() => child.kill('SIGKILL'), WAITS_MS);
    await ended;
    clearTimeout(killed);
  });
  const shows = (pattern) => until(child.stdout, () => pattern.exec(screen), () =>
    `no ${pattern} on the screen of wscat:\n${screen}`);
  await shows(/Connected \(press CTRL\+C to quit\)/);
  return {
    type: (line) => child.stdin.write(`${line}\r`),
    sees: async (pattern) => {
      const [, frame] = await shows(new RegExp(`^\\s*(?:> )?< (.*${pattern.source}.*)$`, 'm'));
      return JSON.parse(frame);
    },
  };
}

/** Waits for `find` to find something, looking whenever the stream has news. */
async function until(stream, find, complaint) {
  const late = AbortSignal.timeout(WAITS_MS);
  for (;;) {
    const found = find();
    if (found) return found;
    try {
      await once(stream, 'data', { signal: late });
    } catch (error) {
      throw new Error(complaint(), { cause: error });
    }
  }
}

/**
 * Posts a JSON document with curl.
 *
 * Returns `{ status, location, body }`.
 */
export async function post(address, document) {
  const { stdout } = await promisify(execFile)('curl', [
    '--silent', '--show-error', '--include', '--max-time', '15',
    '--request', 'POST', address,
    '--header', 'content-type: application/json',
    '--data', JSON.stringify(document),
  ]);
  const [head, body] = stdout.split('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]),
    location: /^location: (.*)$/im.exec(head)?.[1],
    body: JSON.parse(body),
  };
}
