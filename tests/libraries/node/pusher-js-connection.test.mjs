// pusher-js: how connections begin, stay alive, end and come back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Relay, PING, PONG } from './relay.mjs';
import { OwnServer } from './server.mjs';
import { backend, client, codeOf, connected, heard, subscribed, told, unique } from './support.mjs';

test('a client connects and has a socket id', async (t) => {
  const pusher = await connected(t);
  assert.equal(pusher.connection.state, 'connected');
  assert.match(pusher.connection.socket_id, /^\d+\.\d+$/);
});

test('an unknown key is refused with 4001 and not tried again', async (t) => {
  const pusher = client(t, { key: 'unknown' });
  const states = [];
  pusher.connection.bind('state_change', ({ current }) => states.push(current));
  const error = heard(pusher.connection, 'error');
  const ended = heard(pusher.connection, 'disconnected');
  assert.equal(codeOf(await error), 4001);
  await ended;
  // The state that pusher-js has for a refusal: it does not come back by itself.
  assert.equal(pusher.connection.state, 'disconnected');
  assert.ok(!states.includes('unavailable'));
});

test('a disabled app is refused with 4003', async (t) => {
  const pusher = client(t, { key: told('TEST_DISABLED_KEY') });
  assert.equal(codeOf(await heard(pusher.connection, 'error')), 4003);
});

// A client that meets a closed port waits 15 seconds before it tries again, so a relay holds it until the server is back.
async function restarted(server, signal) {
  await server.stop(signal);
  await server.start();
  return server;
}

test('a client comes back to a server that was restarted, with its channels and its user', async (t) => {
  const server = await OwnServer.start(t);
  const relay = await Relay.start(t, server);
  const pusher = await connected(t, { at: relay, user: { id: 'ann' }, member: { user_id: 'ann' } });
  pusher.signin();
  await pusher.user.signinDonePromise;
  const channel = await subscribed(pusher, unique('presence-room'));
  const before = pusher.connection.socket_id;

  const error = heard(pusher.connection, 'error', (problem) => codeOf(problem) === 4200);
  const back = heard(channel, 'pusher:subscription_succeeded');
  const success = heard(pusher.connection, 'message', ({ event }) => event === 'pusher:signin_success');
  relay.target = restarted(server, 'SIGTERM');
  await Promise.all([error, back, success]);
  assert.notEqual(pusher.connection.socket_id, before);
  const events = [heard(channel, 'again'), heard(pusher.user, 'note')];
  await backend({ at: server }).trigger(channel.name, 'again', {});
  await backend({ at: server }).sendToUser('ann', 'note', {});
  await Promise.all(events);
});

test('a client that a leaving node sends away goes to another node', async (t) => {
  const [leaving, other] = await Promise.all([OwnServer.start(t), OwnServer.start(t)]);
  const relay = await Relay.start(t, leaving);
  const pusher = await connected(t, { at: relay });
  const channel = await subscribed(pusher, unique('public'));
  const back = heard(channel, 'pusher:subscription_succeeded');
  relay.target = other;
  assert.equal(await leaving.stop(), 0);
  await back;
  const event = heard(channel, 'event');
  await backend({ at: other }).trigger(channel.name, 'event', {});
  await event;
});

test('a client comes back after its server was killed', async (t) => {
  const server = await OwnServer.start(t);
  const relay = await Relay.start(t, server);
  const pusher = await connected(t, { at: relay });
  const channel = await subscribed(pusher, unique('public'));
  const back = heard(channel, 'pusher:subscription_succeeded');
  relay.target = restarted(server, 'SIGKILL');
  await back;
});

test("a silent client sends a ping after its own activity timeout, and the server's answer keeps it", async (t) => {
  const pusher = await connected(t, { activityTimeout: 200, pongTimeout: 1000 });
  const before = pusher.connection.socket_id;
  for (let round = 0; round < 3; round += 1) {
    await heard(pusher.connection, 'message', ({ event }) => event === 'pusher:pong');
  }
  assert.equal(pusher.connection.socket_id, before);
});

test("a client takes the server's activity timeout where it is shorter", async (t) => {
  const server = await OwnServer.start(t, { activity_timeout: 1 });
  const pusher = await connected(t, { at: server });
  await heard(pusher.connection, 'message', ({ event }) => event === 'pusher:pong');
});

test('a client that is silent for longer than the server likes answers a WebSocket ping', async (t) => {
  const server = await OwnServer.start(t, { activity_timeout: 1 });
  const relay = await Relay.start(t, server);
  const pusher = client(t, { at: relay });
  const ping = relay.frame('server', PING);
  const pong = relay.frame('client', PONG);
  await heard(pusher.connection, 'connected');
  // From here on the library's own pings are kept from being sent, as in a tab that has been put to sleep.
  pusher.connection.stopActivityCheck();
  await Promise.all([ping, pong]);
  assert.equal(pusher.connection.state, 'connected');
});
