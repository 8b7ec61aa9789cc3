// Chromium and pusher-js in it, with a server that compresses: the browser offers compression by itself.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { chromium } from 'playwright-core';

import { OwnServer } from './server.mjs';
import { app, backend, told, unique, WAIT } from './support.mjs';

const PUSHER_JS = readFileSync(createRequire(import.meta.url).resolve('pusher-js/dist/web/pusher.js'));
const LONG = JSON.stringify(Array.from({ length: 90 }, (_, id) => ({ id, name: `item ${id} é€`, tags: ['a', 'b'] })));

async function page(t, api) {
  const site = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.url === '/pusher.js') return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(PUSHER_JS);
    if (request.url === '/auth') {
      const form = new URLSearchParams(body);
      const member = { user_id: 'ann', user_info: { name: 'x'.repeat(900) } };
      const answer = api.authorizeChannel(form.get('socket_id'), form.get('channel_name'), member);
      return response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    }
    return response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><script src="/pusher.js"></script>');
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: told('TEST_BROWSER'),
    headless: true,
    timeout: 30_000,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--no-proxy-server', '--disable-dev-shm-usage'],
  });
  t.after(async () => {
    await browser.close();
    site.close();
    site.closeAllConnections();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  browser.setDefaultTimeout(3 * WAIT);
  const made = await browser.newPage();
  await made.goto(`http://127.0.0.1:${site.address().port}/`);
  return made;
}

test('a browser agrees on compression, and pusher-js works with it', async (t) => {
  const at = await OwnServer.start(t, { websocket: { compression: 'shared', compression_min_bytes: 0 } });
  const api = backend({ at });
  const browser = await page(t, api);

  const extensions = await browser.evaluate(
    (url) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.onmessage = () => resolve(socket.extensions);
        socket.onerror = () => reject(new Error('the socket failed'));
      }),
    `ws://127.0.0.1:${at.port}/app/${app.key}?protocol=7`,
  );
  assert.match(extensions, /^permessage-deflate; server_no_context_takeover; client_no_context_takeover$/);

  const [news, room] = [unique('news'), unique('presence-room')];
  const members = await browser.evaluate(
    async ({ key, port, news, room }) => {
      window.pusher = new Pusher(key, {
        cluster: '',
        wsHost: '127.0.0.1',
        wsPort: port,
        forceTLS: false,
        enabledTransports: ['ws'],
        channelAuthorization: { endpoint: '/auth' },
      });
      window.heard = [];
      const joined = (channel) => new Promise((resolve) => channel.bind('pusher:subscription_succeeded', resolve));
      const first = window.pusher.subscribe(news);
      first.bind('price', (data) => window.heard.push(data));
      await joined(first);
      window.room = window.pusher.subscribe(room);
      const { count, members } = await joined(window.room);
      return { count, name: members.ann.name };
    },
    { key: app.key, port: at.port, news, room },
  );
  assert.deepEqual(members, { count: 1, name: 'x'.repeat(900) });

  const sent = [LONG, 'short', LONG.slice(0, 500), { nested: LONG }];
  for (const data of sent) await api.trigger(news, 'price', data);
  await browser.waitForFunction((count) => window.heard.length === count, sent.length);
  const heard = await browser.evaluate(() => window.heard);
  assert.deepEqual(heard, [JSON.parse(LONG), 'short', LONG.slice(0, 500), { nested: LONG }]);

  // What the browser sends is compressed, too.
  await browser.evaluate((data) => window.room.trigger('client-said', { data }), LONG);
  assert.equal(await browser.evaluate(() => window.pusher.connection.state), 'connected');
  await api.trigger(news, 'price', 'after');
  await browser.waitForFunction(() => window.heard.at(-1) === 'after');
});
