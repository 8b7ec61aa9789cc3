// laravel-echo with both broadcasters that speak this protocol, against an auth endpoint like Laravel's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import Echo from 'laravel-echo';
import nacl from 'tweetnacl';

import { app, backend, heard, Pusher, server, unique, WAIT } from './support.mjs';

const api = backend();

// The two endpoints of a Laravel application. The bearer token stands for who is logged in.
const laravel = createServer(async (request, response) => {
  const id = request.headers.authorization?.replace('Bearer ', '');
  let body = '';
  for await (const part of request) body += part;
  const form = new URLSearchParams(body);
  const [socket, channel] = [form.get('socket_id'), form.get('channel_name')];
  const answer = () => {
    if (request.url === '/broadcasting/user-auth') return api.authenticateUser(socket, { id });
    const member = { user_id: id, user_info: { id, name: id.toUpperCase() } };
    return api.authorizeChannel(socket, channel, channel.startsWith('presence-') ? member : undefined);
  };
  const forbidden = channel?.includes('forbidden');
  response.writeHead(forbidden ? 403 : 200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(forbidden ? { message: 'This action is unauthorized.' } : answer()));
});

before(async () => {
  laravel.listen(0, '127.0.0.1');
  await once(laravel, 'listening');
});
after(() => {
  laravel.close();
  laravel.closeAllConnections();
});

async function echo(t, broadcaster, user = 'ann') {
  const base = `http://127.0.0.1:${laravel.address().port}`;
  const one = new Echo({
    broadcaster,
    Pusher,
    key: app.key,
    // Echo gives "reverb" an empty cluster itself.
    ...(broadcaster === 'pusher' ? { cluster: 'mt1' } : {}),
    wsHost: server.host,
    wsPort: server.port,
    forceTLS: false,
    enabledTransports: ['ws'],
    authEndpoint: `${base}/broadcasting/auth`,
    bearerToken: user,
    auth: { headers: {} },
    userAuthentication: { endpoint: `${base}/broadcasting/user-auth`, headers: {} },
    nacl,
  });
  t.after(() => one.disconnect());
  await heard(one.connector.pusher.connection, 'connected');
  return one;
}

// Resolves with what a callback given to `register` is called with first.
function called(register) {
  const { stack } = new Error(`no call within ${WAIT} ms`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(stack)), WAIT);
    register((...values) => {
      clearTimeout(timer);
      resolve(values[0]);
    });
  });
}

for (const broadcaster of ['pusher', 'reverb']) {
  describe(broadcaster, () => {
    test('a public channel delivers events whose names have backslashes', async (t) => {
      const one = await echo(t, broadcaster);
      assert.match(one.socketId(), /^\d+\.\d+$/);
      assert.equal(one.connectionStatus(), 'connected');
      const name = unique('orders');
      const channel = one.channel(name);
      await called((callback) => channel.subscribed(callback));
      const shipped = called((callback) => channel.listen('OrderShipped', callback));
      const other = called((callback) => channel.listen('.App\\Other\\Event', callback));
      const own = called((callback) => channel.listen('.order.shipped', callback));
      await api.trigger(name, 'App\\Events\\OrderShipped', { id: 1 });
      await api.trigger(name, 'App\\Other\\Event', { id: 2 });
      await api.trigger(name, 'order.shipped', { id: 3 });
      assert.deepEqual(await Promise.all([shipped, other, own]), [{ id: 1 }, { id: 2 }, { id: 3 }]);
    });

    test('an event broadcast to others leaves out who caused it', async (t) => {
      const [one, other] = [await echo(t, broadcaster), await echo(t, broadcaster)];
      const name = unique('orders');
      const names = [];
      const channel = one.channel(name).listenToAll((event) => names.push(event));
      await Promise.all([channel, other.channel(name)].map((each) => called((callback) => each.subscribed(callback))));
      const theirs = called((callback) => other.channel(name).listen('Placed', callback));
      const last = called((callback) => channel.listen('Last', callback));
      await api.trigger(name, 'App\\Events\\Placed', {}, { socket_id: one.socketId() });
      await api.trigger(name, 'App\\Events\\Last', {});
      await Promise.all([theirs, last]);
      assert.deepEqual(names, ['Last']);
    });

    test('a private channel is authorised by the application and whispers', async (t) => {
      const [ann, bob] = [await echo(t, broadcaster, 'ann'), await echo(t, broadcaster, 'bob')];
      const name = unique('chat');
      await Promise.all([ann, bob].map((one) => called((callback) => one.private(name).subscribed(callback))));
      const whisper = called((callback) => bob.private(name).listenForWhisper('typing', callback));
      ann.private(name).whisper('typing', { name: 'Ann' });
      assert.deepEqual(await whisper, { name: 'Ann' });
      const event = called((callback) => ann.private(name).listen('MessageSent', callback));
      await api.trigger(`private-${name}`, 'App\\Events\\MessageSent', { text: 'hi' });
      assert.deepEqual(await event, { text: 'hi' });
    });

    test('a private channel brings notifications', async (t) => {
      const one = await echo(t, broadcaster);
      const name = unique('App.Models.User.1');
      const channel = one.private(name);
      await called((callback) => channel.subscribed(callback));
      const notification = called((callback) => channel.notification(callback));
      const data = { id: 'a-uuid', type: 'App\\Notifications\\InvoicePaid', amount: 10 };
      const event = 'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated';
      await api.trigger(`private-${name}`, event, data);
      assert.deepEqual(await notification, data);
    });

    test('a channel that the application forbids is an error of that channel', async (t) => {
      const one = await echo(t, broadcaster);
      const error = await called((callback) => one.private(unique('forbidden')).error(callback));
      assert.equal(error.status, 403);
      assert.equal(one.connectionStatus(), 'connected');
    });

    test('a presence channel tells who is here, joining and leaving', async (t) => {
      const [ann, bob] = [await echo(t, broadcaster, 'ann'), await echo(t, broadcaster, 'bob')];
      const name = unique('room');
      const room = ann.join(name);
      assert.deepEqual(await called((callback) => room.here(callback)), [{ id: 'ann', name: 'ANN' }]);
      const joining = called((callback) => room.joining(callback));
      const both = await called((callback) => bob.join(name).here(callback));
      assert.deepEqual(both.map(({ id }) => id).sort(), ['ann', 'bob']);
      assert.deepEqual(await joining, { id: 'bob', name: 'BOB' });
      const whisper = called((callback) => room.listenForWhisper('wave', callback));
      bob.join(name).whisper('wave', { hand: 'left' });
      assert.deepEqual(await whisper, { hand: 'left' });
      const leaving = called((callback) => room.leaving(callback));
      bob.leave(name);
      assert.deepEqual(await leaving, { id: 'bob', name: 'BOB' });
    });

    test('an encrypted private channel is decrypted', async (t) => {
      const one = await echo(t, broadcaster);
      const name = unique('secrets');
      const channel = one.encryptedPrivate(name);
      await called((callback) => channel.subscribed(callback));
      const event = called((callback) => channel.listen('Told', callback));
      await api.trigger(`private-encrypted-${name}`, 'App\\Events\\Told', { word: 'swordfish' });
      assert.deepEqual(await event, { word: 'swordfish' });
    });

    test('a user signs in through the application and receives what is sent to the user', async (t) => {
      const id = unique('user');
      const one = await echo(t, broadcaster, id);
      one.connector.signin();
      const { user } = one.connector.pusher;
      await user.signinDonePromise;
      const note = heard(user, 'note');
      await api.sendToUser(id, 'note', { text: 'for you' });
      assert.deepEqual(await note, { text: 'for you' });
    });
  });
}
