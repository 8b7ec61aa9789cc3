// Chromium: pusher-js as web pages use it, and the browser's own WebSocket and fetch.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { PING, PONG, Relay } from './relay.mjs';
import { OwnServer } from './server.mjs';
import { app, backend, server, told, unique, WAIT } from './support.mjs';

const PUSHER_JS = readFileSync(createRequire(import.meta.url).resolve('pusher-js/dist/web/pusher.js'));
const PAGE = `<!doctype html><title>test</title><script src="/pusher.js"></script><script>
// Resolves with the next event of anything that has bind and unbind.
function heard(emitter, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(name + ' was not heard')), ${WAIT});
    emitter.bind(name, function hear(data) {
      clearTimeout(timer);
      emitter.unbind(name, hear);
      resolve(data);
    });
  });
}
</script>`;

const api = backend();

// The application: its page, and the endpoint that authorises channels. A page says in its address who is logged in.
const site = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://site');
  let body = '';
  for await (const part of request) body += part;
  switch (url.pathname) {
    case '/':
      return response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    case '/pusher.js':
      return response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(PUSHER_JS);
    case '/auth': {
      const form = new URLSearchParams(body);
      const channel = form.get('channel_name');
      const id = url.searchParams.get('user');
      const member = { user_id: id, user_info: { name: id } };
      const answer = api.authorizeChannel(
        form.get('socket_id'),
        channel,
        channel.startsWith('presence-') ? member : undefined,
      );
      return response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    }
    default:
      return response.writeHead(404).end();
  }
});

let profile;
let browser;

before(async () => {
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: told('TEST_BROWSER'),
    headless: true,
    timeout: 30_000,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--no-proxy-server',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-dev-shm-usage',
      '--disable-sync',
    ],
  });
  browser.setDefaultTimeout(3 * WAIT);
});

after(async () => {
  site.close();
  site.closeAllConnections();
  await browser?.close();
  if (profile !== undefined) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

async function open(t) {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  return page;
}

// A page with a connected client in `window.pusher`.
async function connected(t, { at = server, user = 'ann' } = {}) {
  const page = await open(t);
  await page.evaluate(
    async ({ key, host, port, user }) => {
      window.pusher = new Pusher(key, {
        cluster: '',
        wsHost: host,
        wsPort: port,
        forceTLS: false,
        enabledTransports: ['ws'],
        channelAuthorization: { endpoint: `/auth?user=${user}` },
      });
      await heard(window.pusher.connection, 'connected');
    },
    { key: app.key, host: at.host, port: at.port, user },
  );
  return page;
}

async function subscribed(page, name) {
  await page.evaluate(async (name) => {
    window.channel = window.pusher.subscribe(name);
    await heard(window.channel, 'pusher:subscription_succeeded');
  }, name);
}

// Begins to wait in the page, and returns a function that returns the event's data.
async function listening(page, event) {
  const waiting = await page.evaluateHandle((event) => ({ data: heard(window.channel, event) }), event);
  return () => waiting.evaluate(({ data }) => data);
}

function rawSocket(page, at, key) {
  return page.evaluate(
    (url) =>
      new Promise((resolve) => {
        window.received = [];
        window.socket = new WebSocket(url);
        window.closing = new Promise((done) => {
          window.socket.onclose = ({ code, reason, wasClean }) => {
            done({ code, reason, wasClean });
            resolve();
          };
        });
        window.socket.onmessage = ({ data }) => {
          window.received.push(JSON.parse(data));
          resolve();
        };
      }),
    `ws://${at.host}:${at.port}/app/${key}?protocol=7&client=js&version=8.6.0`,
  );
}

function closing(page) {
  return page.evaluate(async () => ({ frames: window.received, close: await window.closing }));
}

test('a page receives what is published over HTTP', async (t) => {
  const page = await connected(t);
  const name = unique('public');
  await subscribed(page, name);
  const event = await listening(page, 'greeting');
  await api.trigger(name, 'greeting', { text: 'Grüße, 世界 🌍' });
  assert.deepEqual(await event(), { text: 'Grüße, 世界 🌍' });
});

test('pages see each other on a presence channel', async (t) => {
  const name = unique('presence-room');
  const ann = await connected(t, { user: 'ann' });
  await subscribed(ann, name);
  const added = await listening(ann, 'pusher:member_added');
  const bob = await connected(t, { user: 'bob' });
  await subscribed(bob, name);
  assert.deepEqual(await added(), { id: 'bob', info: { name: 'bob' } });
  assert.deepEqual(await bob.evaluate(() => window.channel.members.me), { id: 'bob', info: { name: 'bob' } });
  assert.equal(await bob.evaluate(() => window.channel.members.count), 2);
  const removed = await listening(ann, 'pusher:member_removed');
  // A tab that is closed sends no unsubscribe.
  await bob.close();
  assert.deepEqual(await removed(), { id: 'bob', info: { name: 'bob' } });
});

test('large messages pass both ways', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = [await connected(t, { user: 'ann' }), await connected(t, { user: 'bob' })];
  await subscribed(sender, name);
  await subscribed(receiver, name);
  const text = 'ab'.repeat(30 * 1024);
  const published = await listening(receiver, 'published');
  await api.trigger(name, 'published', { text });
  assert.equal((await published()).text, text);
  const sent = await listening(receiver, 'client-sent');
  await sender.evaluate((text) => window.channel.trigger('client-sent', { text }), text);
  assert.equal((await sent()).text, text);
});

test('a page sees the error and the close code of an unknown key', async (t) => {
  const page = await open(t);
  await rawSocket(page, server, 'unknown');
  const { frames, close } = await closing(page);
  assert.deepEqual(
    frames.map(({ event, data }) => [event, data.code]),
    [['pusher:error', 4001]],
  );
  assert.equal(close.code, 4001);
  assert.equal(close.wasClean, true);
  assert.equal(close.reason, frames[0].data.message);
});

test('a page sees the close code of a server that leaves', async (t) => {
  const own = await OwnServer.start(t);
  const page = await open(t);
  await rawSocket(page, own, app.key);
  assert.equal(await own.stop(), 0);
  const { frames, close } = await closing(page);
  assert.deepEqual(
    frames.map(({ event }) => event),
    ['pusher:connection_established', 'pusher:error'],
  );
  assert.equal(close.code, 4200);
  assert.equal(close.wasClean, true);
});

test('the browser answers a ping of the server', async (t) => {
  const own = await OwnServer.start(t, { activity_timeout: 1 });
  const relay = await Relay.start(t, own);
  const page = await open(t);
  const frames = Promise.all([relay.frame('server', PING), relay.frame('client', PONG)]);
  await rawSocket(page, relay, app.key);
  const [ping, pong] = await frames;
  assert.deepEqual(pong, ping);
  assert.equal(await page.evaluate(() => window.socket.readyState), 1);
});

test('a page of another origin may read the HTTP API', async (t) => {
  const page = await open(t);
  const base = `http://${server.host}:${server.port}`;
  const path = `/apps/${app.id}/channels`;
  const get = (url) =>
    page.evaluate(async (url) => {
      const answer = await fetch(url);
      return { status: answer.status, type: answer.type, text: await answer.text() };
    }, url);
  assert.deepEqual(await get(`${base}/up`), { status: 200, type: 'cors', text: 'OK' });
  const query = api.createSignedQueryString({ method: 'GET', path, params: { filter_by_prefix: 'no-such-' } });
  assert.deepEqual(await get(`${base}${path}?${query}`), { status: 200, type: 'cors', text: '{"channels":{}}' });
  // Refusals can be read too, or a page could not tell them from a network that is down.
  assert.equal((await get(`${base}${path}`)).status, 401);
  assert.equal((await get(`${base}/no-such-path`)).status, 404);
});

test('a page of another origin may publish, after a preflight', async (t) => {
  const page = await open(t);
  const path = `/apps/${app.id}/events`;
  const body = JSON.stringify({ name: 'event', channel: unique('public'), data: '{}' });
  const query = api.createSignedQueryString({ method: 'POST', path, body });
  const status = await page.evaluate(
    async ({ url, body }) => {
      const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      return [answer.status, await answer.text()];
    },
    { url: `http://${server.host}:${server.port}${path}?${query}`, body },
  );
  assert.deepEqual(status, [200, '{}']);
});
