// The clients of the usual tutorials on WebSocket APIs work as they are: only
// the address is another one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { startBrowser } from './browser.mjs';
import { startStack } from './stack.mjs';
import { post, wscat } from './terminal.mjs';

const timeout = 60_000;

test('wscat is echoed what it sends', { timeout }, async (t) => {
  const { ws } = await startStack(t);
  const terminal = await wscat(t, ws);
  terminal.type('{"action":"echo","payload":{"text":"hello"}}');
  assert.deepEqual(await terminal.sees(/"payload"/), { action: 'echo', payload: { text: 'hello' } });
});

test('what one wscat sends to all, every wscat sees', { timeout }, async (t) => {
  const { ws } = await startStack(t);
  const [alice, bob] = await Promise.all([wscat(t, ws), wscat(t, ws)]);
  alice.type('{"action":"sendmessage","message":"hello, everyone!"}');
  for (const terminal of [alice, bob]) {
    const event = await terminal.sees(/"type":"message\.sent"/);
    assert.equal(event.data.message, 'hello, everyone!');
  }
});

test('wscat subscribes to stocks in the query, and curl publishes to one', { timeout }, async (t) => {
  const { http, ws } = await startStack(t, ['--env', 'TOPICS_PARAMETER=stocks']);
  const terminal = await wscat(t, `${ws}?stocks=aapl,goog`);
  terminal.type('{"action":"whoami"}');
  assert.deepEqual((await terminal.sees(/"type":"whoami"/)).topics, ['aapl', 'goog']);
  for (const topic of ['msft', 'aapl']) {
    const answer = await post(`${http}/notifications`, {
      type: 'price.changed', data: { of: topic }, target: { topic },
    });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    assert.equal(answer.location, `/notifications/${answer.body.id}`);
  }
  const event = await terminal.sees(/"type":"price\.changed"/);
  assert.deepEqual([event.subject, event.data], ['aapl', { of: 'aapl' }]);
});

test('JavaScript in a browser asks for its connection id', { timeout }, async (t) => {
  const { ws } = await startStack(t);
  const open = await startBrowser(t);
  const page = await open(await serve(t, `<!doctype html><title>Client</title><output></output><script>
    const socket = new WebSocket('${ws}');
    socket.onopen = () => socket.send(JSON.stringify({ action: 'GET_CONNECTION_ID' }));
    socket.onmessage = (event) => {
      document.querySelector('output').textContent = JSON.parse(event.data).connectionId;
    };
  </script>`));
  // As API Gateway makes them, and as its @connections API takes them.
  await page.getByRole('status').filter({ hasText: /^[A-Za-z0-9_-]{15}=$/ }).waitFor();
  assert.deepEqual(page.faults, []);
});

test('curl orders a book, and wscat and a browser see it', { timeout }, async (t) => {
  const { http, ws } = await startStack(t);
  const open = await startBrowser(t);
  const [terminal, page] = await Promise.all([wscat(t, ws), open(http)]);
  await page.getByRole('status').filter({ hasText: /^Connected$/ }).waitFor();
  const order = { bookId: 123, title: 'The Pragmatic Programmer', quantity: 1 };
  const answer = await post(`${http}/orders`, order);
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  assert.deepEqual((await terminal.sees(/"type":"book\.ordered"/)).data, order);
  await page.getByRole('listitem').filter({ hasText: answer.body.id }).waitFor();
});

/** Serves a page as a tutorial's own web server does, from an origin of its own. */
async function serve(t, html) {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html').end(html);
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${server.address().port}/`;
}
