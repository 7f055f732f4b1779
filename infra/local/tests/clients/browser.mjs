// Chromium, as Debian packs it; CHROMIUM names another one.

import { chromium } from 'playwright-core';

// No service of the browser's own is to reach for the network.
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const WAITS_MS = 15_000;

/**
 * Starts a browser with a fresh profile; it is closed when the test ends.
 *
 * Returns `open(address)`, which opens a page in a session of its own;
 * `page.faults` are the exceptions that nothing caught in it, and what its
 * security policy refused.
 */
export async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ARGUMENTS,
    timeout: 60_000,
  });
  t.after(() => browser.close());
  return async (address, options = {}) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(WAITS_MS);
    const page = await context.newPage();
    page.faults = [];
    page.on('pageerror', ({ message }) => page.faults.push(message));
    page.on('console', (message) => {
      if (/Content Security Policy|TrustedHTML/.test(message.text())) page.faults.push(message.text());
    });
    await page.goto(address);
    return page;
  };
}
