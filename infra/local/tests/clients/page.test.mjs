// The stack's page, in a real browser.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { startBrowser } from './browser.mjs';
import { startStack } from './stack.mjs';

const timeout = 90_000;

const state = (page, words) => page.getByRole('status').filter({ hasText: new RegExp(`^${words}$`) });
const notifications = (page) => page.getByRole('list', { name: 'Notifications' }).getByRole('listitem');

/** Opens pages, and waits until each has its connection. */
async function openPages(open, address, count = 1) {
  const opening = Array.from({ length: count }, () => open(address));
  const pages = await Promise.all(opening);
  await Promise.all(pages.map((page) => state(page, 'Connected').waitFor()));
  return pages;
}

async function order(page, fields = {}) {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await page.getByRole('button', { name: 'Order' }).click();
}

/** The numbers of the ledger's legend by their names. */
function counts(page) {
  return page.locator('#legend > div').evaluateAll((rows) => Object.fromEntries(
    rows.map((row) => [row.querySelector('dt').textContent, Number(row.querySelector('dd').textContent)]),
  ));
}

test('a book ordered in one page is seen in all, and the ledger adds up', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const pages = await openPages(await startBrowser(t), http, 3);
  await order(pages[0], { Title: 'Programming Pearls', Quantity: '2' });
  for (const page of pages) {
    const item = notifications(page).filter({ hasText: 'Programming Pearls' });
    await item.getByText('book.ordered').waitFor();
    assert.match(await item.locator('pre').textContent(), /"quantity": 2/);
  }
  await state(pages[0], 'Done').waitFor();
  assert.deepEqual(await counts(pages[0]), {
    accepted: 3, gone: 0, failed: 0, expired: 0, cancelled: 0, pending: 0,
  });
  await pages[0].getByRole('img', { name: 'Of 3: 3 accepted' }).waitFor();
  // Another page that has seen it can look at its ledger as well.
  await notifications(pages[1]).getByRole('button', { name: /Show the ledger of/ }).click();
  await state(pages[1], 'Done').waitFor();
  assert.equal((await counts(pages[1])).accepted, 3);
  for (const page of pages) assert.deepEqual(page.faults, []);
});

test('what is wrong with an order is said at its field', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  await order(page, { Quantity: '0' });
  const quantity = page.getByLabel('Quantity');
  await page.locator('#quantity[aria-invalid="true"]').waitFor();
  const description = await quantity.evaluate((field) =>
    document.getElementById(field.getAttribute('aria-describedby')).textContent);
  assert.match(description, /^expected a whole number from 1 to \d+, got 0$/);
  assert.equal(await quantity.evaluate((field) => field === document.activeElement), true);
  assert.equal(await page.getByLabel('Title').getAttribute('aria-invalid'), null);
  await order(page, { Quantity: 'two' });
  await page.getByText('got a string').waitFor();
  await order(page, { Quantity: '1' });
  await notifications(page).waitFor();
  assert.equal(await quantity.getAttribute('aria-invalid'), null);
});

test('markup in a notification is text, and none of it runs', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  const title = '<img src=x onerror="document.title=\'run\'"><b>bold</b>';
  await order(page, { Title: title });
  const text = await notifications(page).locator('pre').textContent();
  assert.equal(JSON.parse(text).title, title);
  assert.equal(await notifications(page).locator('img, b').count(), 0);
  assert.equal(await page.title(), 'Notification fan-out');
  assert.deepEqual(page.faults, []);
});

test('topics chosen in the page are listened to', { timeout }, async (t) => {
  const { http } = await startStack(t, ['--env', 'TOPICS_PARAMETER=stocks']);
  const [merchant, other] = await openPages(await startBrowser(t), http, 2);
  await merchant.getByText('Topics, token and address').click();
  await merchant.getByLabel('Topics').fill('merchant:42');
  await merchant.getByLabel('Topics').press('Enter');
  await merchant.getByText('for everyone and to merchant:42').waitFor();
  await order(other, { Title: 'For the merchant', 'Merchant id': '42' });
  await notifications(merchant).filter({ hasText: 'For the merchant' }).waitFor();
  await state(other, 'Done').waitFor();
  assert.equal((await counts(other)).accepted, 1);
  assert.equal(await notifications(other).count(), 0);
});

test('a notification that comes twice is shown once', { timeout }, async (t) => {
  const { http } = await startStack(t, ['--env', 'EVENT_SOURCE=/books']);
  const [page] = await openPages(await startBrowser(t), http);
  await page.routeWebSocket(/./, (socket) => {
    for (const [source, id] of [['/books', 'a'], ['/books', 'b'], ['/books', 'a'], ['/shop', 'a']]) {
      const data = `${source} ${id}`;
      socket.send(JSON.stringify({ specversion: '1.0', source, id, type: 'test', time: '2026-11-21T08:19:30Z', data }));
    }
  });
  await page.reload();
  await page.getByText('3 received, 1 duplicate dropped').waitFor();
  const shown = await notifications(page).locator('pre').allTextContents();
  assert.deepEqual(shown, ['"/shop a"', '"/books b"', '"/books a"']);
  // An event that is somebody's own has an id that no ledger has.
  const ledgers = page.getByRole('button', { name: /Show the ledger of/ });
  assert.equal(await ledgers.count(), 2);
  assert.equal(await notifications(page).first().getByRole('button').count(), 0);
});

test('a connection that is not known any more is opened anew', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  let opened = 0;
  await page.routeWebSocket(/./, (socket) => {
    opened += 1;
    const answer = opened === 1
      ? { type: 'error', code: 'not_connected', detail: 'connect again' }
      : { type: 'whoami', connectionId: `number-${opened}`, userId: null, topics: [] };
    socket.onMessage(() => socket.send(JSON.stringify(answer)));
  });
  await page.reload();
  await page.getByText('number-2 listens to what is for everyone').waitFor();
});

test('a silent connection is given up, and any answer keeps it', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  const heard = [];
  const sockets = [];
  await page.routeWebSocket(/./, (socket) => {
    sockets.push(socket);
    socket.onMessage((message) => heard.push(JSON.parse(message).action));
  });
  await page.clock.install();
  await page.reload();
  await state(page, 'Connected').waitFor();
  const hears = async (count) => {
    while (heard.length < count) await page.evaluate(() => null);
    assert.deepEqual(heard, Array(count).fill('whoami'));
  };
  await hears(1);
  await page.clock.fastForward('05:00');
  await hears(2);
  // API Gateway's own answer to a message too many.
  sockets[0].send(JSON.stringify({ message: 'Too Many Requests', connectionId: 'c', requestId: 'r' }));
  sockets[0].send(JSON.stringify({ type: 'error', code: 'seen', detail: 'it has been read' }));
  await page.getByText('it has been read').waitFor();
  await page.clock.fastForward('04:30');
  assert.equal(await state(page, 'Connected').count(), 1);
  await page.clock.fastForward('00:30');
  await hears(3);
  await page.clock.fastForward('00:31');
  await page.getByText('Nothing came back.').waitFor();
});

test('a ledger is drawn as it fills, and can be cancelled', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  const methods = [];
  await page.route('**/notifications/*', (route) => {
    const method = route.request().method();
    methods.push(method);
    const isCancelled = methods.includes('DELETE');
    const ledger = {
      id: 'n', targeted: 1000, accepted: 500, gone: 1, failed: 2, expired: 3,
      ...isCancelled ? { state: 'cancelled', cancelled: 494, pending: 0 } : { state: 'in_progress', pending: 494 },
    };
    return route.fulfill({ status: method === 'GET' ? 200 : 202, json: ledger });
  });
  assert.equal(await page.getByRole('button', { name: 'Cancel' }).getAttribute('aria-disabled'), 'true');
  await order(page);
  await state(page, 'In progress').waitFor();
  const shares = await page.locator('#bar > span').evaluateAll((spans) => spans.map((span) => span.style.flexGrow));
  assert.deepEqual(shares, ['500', '1', '2', '3', '0', '494']);
  await page.getByRole('button', { name: 'Cancel' }).press('Enter');
  await state(page, 'Cancelled').waitFor();
  assert.deepEqual(await counts(page), {
    accepted: 500, gone: 1, failed: 2, expired: 3, cancelled: 494, pending: 0,
  });
  await page.getByRole('img', { name: 'Of 1000: 500 accepted, 1 gone, 2 failed, 3 expired, 494 cancelled' }).waitFor();
  assert.equal(methods.filter((method) => method === 'DELETE').length, 1);
});

test('the token goes with the handshake and with what is published', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const [page] = await openPages(await startBrowser(t), http);
  const gateway = createServer();
  t.after(() => gateway.close());
  await once(gateway.listen(0, '127.0.0.1'), 'listening');
  await page.getByText('Topics, token and address').click();
  await page.getByLabel('Token').fill('head.claims.signature');
  await page.getByLabel('Topics').fill('a,b');
  await page.getByLabel('Address').fill(`ws://127.0.0.1:${gateway.address().port}/prod`);
  const handshake = once(gateway, 'upgrade');
  await page.getByRole('button', { name: 'Connect anew' }).click();
  const [{ url, headers }, socket] = await handshake;
  socket.destroy();
  assert.equal(new URL(url, 'ws://gateway').searchParams.get('topics'), 'a,b');
  assert.equal(headers['sec-websocket-protocol'], 'fanout.v1, bearer.head.claims.signature');
  const posted = page.waitForRequest('**/orders');
  await order(page);
  assert.equal((await posted).headers().authorization, 'Bearer head.claims.signature');
  await page.getByLabel('Token').fill('not a token');
  // Nothing is published with what would not connect.
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await order(page);
  await page.locator('#token[aria-invalid="true"]').waitFor();
  await page.getByText('The token under Connection is not right yet.').first().waitFor();
  assert.deepEqual(requests.filter((url) => url.endsWith('/orders')), []);
  await page.getByLabel('Token').fill('');
  await page.getByRole('button', { name: 'Connect anew' }).click();
  await page.locator('#token:not([aria-invalid])').waitFor();
  await page.getByLabel('Token').fill('not a token');
  await page.getByRole('button', { name: 'Connect anew' }).click();
  await page.locator('#token[aria-invalid="true"]').waitFor();
});

test('the page comes back when the stack does', { timeout }, async (t) => {
  const first = await startStack(t);
  const [page] = await openPages(await startBrowser(t), first.http);
  await first.stop();
  await state(page, 'Disconnected').waitFor();
  const { host: http } = new URL(first.http);
  const { host: ws } = new URL(first.ws);
  await startStack(t, [], { http, ws });
  await state(page, 'Connected').waitFor({ timeout: 45_000 });
  await order(page, { Title: 'After the pause' });
  await notifications(page).filter({ hasText: 'After the pause' }).waitFor();
});

test('a page reached by another name of the host reaches the socket by it', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const address = new URL(http);
  address.hostname = 'localhost';
  const [page] = await openPages(await startBrowser(t), address.href);
  assert.match(await page.locator('#address').inputValue(), /^ws:\/\/localhost:\d+\/prod$/);
});

test('on a small screen nothing is cut off, in the light and in the dark', { timeout }, async (t) => {
  const { http } = await startStack(t);
  const open = await startBrowser(t);
  for (const colorScheme of ['light', 'dark']) {
    const page = await open(http, { viewport: { width: 360, height: 640 }, colorScheme });
    await state(page, 'Connected').waitFor();
    await order(page, { Title: 'W'.repeat(400) });
    await notifications(page).first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  }
});
