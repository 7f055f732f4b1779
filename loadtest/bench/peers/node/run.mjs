// Runs a handler as Lambda does, once: `node run.mjs HANDLER` loads it, says so
// in a line, takes one event in a line, and says in another how it ended. It is
// ended from outside, when its processor time has been read.

import { once } from 'node:events';
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const { handler } = await import(`./${process.argv[2]}.mjs`);
const lines = createInterface({ input: process.stdin });
say({ runtime: `Node.js ${process.version.slice(1)}` });

const [line] = await once(lines, 'line');
try {
  say({ answered: await handler(JSON.parse(line)) });
} catch (error) {
  say({ threw: `${error.name}: ${error.message}` });
}
