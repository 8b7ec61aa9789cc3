// pusher-js and the official server library, both over TLS (`tests/libraries/test_tls.py` runs this). Node trusts the
// certificate by NODE_EXTRA_CA_CERTS; nothing here switches the check off.

import { strict as assert } from 'node:assert';

import Backend from 'pusher';

import { app, Pusher, server, WAIT } from './support.mjs';

const CLIENTS = 6;
const CHANNELS = ['news', 'private-room', 'presence-room'];

const backend = new Backend({
  appId: app.id,
  key: app.key,
  secret: app.secret,
  host: server.host,
  port: server.port,
  useTLS: true,
  timeout: WAIT,
});

function connect(number) {
  return new Pusher(app.key, {
    cluster: '',
    wsHost: server.host,
    wssPort: server.port,
    forceTLS: true,
    enabledTransports: ['ws', 'wss'],
    disableStats: true,
    channelAuthorization: {
      customHandler({ channelName, socketId }, done) {
        const member = channelName.startsWith('presence-') ? { user_id: `user-${number}` } : undefined;
        done(null, backend.authorizeChannel(socketId, channelName, member));
      },
    },
  });
}

function next(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), WAIT);
    emitter.bind(event, (data) => {
      clearTimeout(timer);
      resolve(data);
    });
  });
}

const clients = Array.from({ length: CLIENTS }, (_, number) => connect(number));
const received = [];
for (const client of clients) {
  for (const name of CHANNELS) {
    const channel = client.subscribe(name);
    await next(channel, 'pusher:subscription_succeeded');
    received.push(next(channel, 'event'));
  }
}
const answer = await backend.trigger(CHANNELS, 'event', { text: 'Grüße 🌍' });
assert.equal(answer.status, 200);
for (const data of await Promise.all(received)) assert.deepEqual(data, { text: 'Grüße 🌍' });
const members = await (await backend.get({ path: '/channels/presence-room/users' })).json();
assert.equal(members.users.length, CLIENTS);
for (const client of clients) client.disconnect();
console.log(`${received.length} events over TLS`);
