// pusher-js: channels of every kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import nacl from 'tweetnacl';

import { backend, connected, heard, heardWhole, recorded, subscribed, unique } from './support.mjs';

test('a public channel delivers what is published', async (t) => {
  const pusher = await connected(t);
  const name = unique('public');
  const channel = await subscribed(pusher, name);
  const event = heard(channel, 'greeting');
  await backend().trigger(name, 'greeting', { text: 'Grüße, 世界 🌍', list: [1, null] });
  assert.deepEqual(await event, { text: 'Grüße, 世界 🌍', list: [1, null] });
});

test('an event published with a socket id does not come back to that socket', async (t) => {
  const [one, other] = await Promise.all([connected(t), connected(t)]);
  const name = unique('public');
  const channels = await Promise.all([subscribed(one, name), subscribed(other, name)]);
  const events = channels.map(recorded);
  const last = channels.map((channel) => heard(channel, 'last'));
  await backend().trigger(name, 'not-for-one', {}, { socket_id: one.connection.socket_id });
  await backend().trigger(name, 'last', {});
  await Promise.all(last);
  assert.deepEqual(events.map((list) => list.map(([event]) => event)), [['last'], ['not-for-one', 'last']]);
});

test('nothing is delivered after unsubscribing', async (t) => {
  const pusher = await connected(t);
  const [left, kept] = [unique('left'), unique('kept')];
  const channel = await subscribed(pusher, left);
  const sentinel = await subscribed(pusher, kept);
  const events = recorded(channel);
  pusher.unsubscribe(left);
  // Commands of one connection are carried out in order, so the answer to this one comes after the unsubscribe.
  await subscribed(pusher, unique('order'));
  const last = heard(sentinel, 'last');
  await backend().trigger([left, kept], 'last', {});
  await last;
  assert.deepEqual(events, []);
});

test('a private channel takes the signature of the server library and delivers', async (t) => {
  const pusher = await connected(t);
  const name = unique('private-room');
  const channel = await subscribed(pusher, name);
  const event = heard(channel, 'news');
  await backend().trigger(name, 'news', 'plain text');
  assert.equal(await event, 'plain text');
});

test('a refused subscription reaches pusher:subscription_error and the connection lives on', async (t) => {
  const pusher = await connected(t, {
    channelAuthorization: {
      customHandler: (_, callback) => callback(null, { auth: `wrong-key:${'0'.repeat(64)}` }),
    },
  });
  const refused = await heard(pusher.subscribe(unique('private-closed')), 'pusher:subscription_error');
  assert.equal(refused.type, 'AuthError');
  assert.equal(refused.status, 401);
  assert.match(refused.error, /Invalid signature/);
  await subscribed(pusher, unique('public'));
  assert.equal(pusher.connection.state, 'connected');
});

test('a presence channel tells who is here, who comes and who goes', async (t) => {
  const name = unique('presence-room');
  const ann = await connected(t, { member: { user_id: 'ann', user_info: { name: 'Ann' } } });
  const channel = await subscribed(ann, name);
  assert.deepEqual([channel.members.count, channel.members.me], [1, { id: 'ann', info: { name: 'Ann' } }]);

  const added = heard(channel, 'pusher:member_added');
  const bob = await connected(t, { member: { user_id: 'bob', user_info: { name: 'Bob' } } });
  const members = (await subscribed(bob, name)).members;
  assert.deepEqual(await added, { id: 'bob', info: { name: 'Bob' } });
  assert.equal(members.count, 2);
  assert.deepEqual(members.members, { ann: { name: 'Ann' }, bob: { name: 'Bob' } });
  assert.deepEqual(members.me, { id: 'bob', info: { name: 'Bob' } });

  const removed = heard(channel, 'pusher:member_removed');
  bob.disconnect();
  assert.deepEqual(await removed, { id: 'bob', info: { name: 'Bob' } });
  assert.equal(channel.members.count, 1);
});

test('two tabs of one user are one member', async (t) => {
  const name = unique('presence-room');
  const watcher = await connected(t, { member: { user_id: 'watcher' } });
  const channel = await subscribed(watcher, name);
  const changes = [];
  channel.bind('pusher:member_added', ({ id }) => changes.push(['added', id]));
  channel.bind('pusher:member_removed', ({ id }) => changes.push(['removed', id]));

  const member = { user_id: 'ann' };
  const [first, second] = await Promise.all([connected(t, { member }), connected(t, { member })]);
  await subscribed(first, name);
  const tab = await subscribed(second, name);
  assert.equal(tab.members.count, 2);

  first.unsubscribe(name);
  await subscribed(first, unique('order'));
  const gone = heard(channel, 'pusher:member_removed');
  second.disconnect();
  await gone;
  assert.deepEqual(changes, [['added', 'ann'], ['removed', 'ann']]);
});

test('a numeric user id is a member that finds itself', async (t) => {
  const pusher = await connected(t, { member: { user_id: 42, user_info: {} } });
  const channel = await subscribed(pusher, unique('presence-room'));
  assert.deepEqual(Object.keys(channel.members.members), ['42']);
  assert.notEqual(channel.members.me, null);
});

test('a client event reaches the others, with the sender on presence channels', async (t) => {
  const [ann, bob] = await Promise.all(
    ['ann', 'bob'].map((user_id) => connected(t, { member: { user_id, user_info: {} } })),
  );
  const [privateName, presenceName] = [unique('private-room'), unique('presence-room')];
  const sender = { private: await subscribed(ann, privateName), presence: await subscribed(ann, presenceName) };
  const receiver = { private: await subscribed(bob, privateName), presence: await subscribed(bob, presenceName) };
  const own = recorded(sender.private);

  const onPrivate = heardWhole(receiver.private, 'client-typing');
  assert.ok(sender.private.trigger('client-typing', { in: 'box' }));
  assert.deepEqual(await onPrivate, { data: { in: 'box' }, metadata: {} });

  const onPresence = heardWhole(receiver.presence, 'client-typing');
  assert.ok(sender.presence.trigger('client-typing', 'text'));
  assert.deepEqual(await onPresence, { data: 'text', metadata: { user_id: 'ann' } });

  // An answer by the same way has to come before anything that an echo would have brought.
  const answer = heard(sender.private, 'client-answer');
  receiver.private.trigger('client-answer', {});
  await answer;
  assert.deepEqual(own, [['client-answer', {}]]);
});

test('a client event on a public channel is refused with an error that ends nothing', async (t) => {
  const pusher = await connected(t);
  const channel = await subscribed(pusher, unique('public'));
  const error = heard(pusher.connection, 'error');
  channel.trigger('client-typing', {});
  assert.equal((await error).type, 'PusherError');
  assert.equal(pusher.connection.state, 'connected');
});

for (const prefix of ['cache-', 'private-cache-', 'presence-cache-']) {
  test(`a ${prefix} channel brings its last event to who comes later`, async (t) => {
    const name = unique(`${prefix}price`);
    const pusher = await connected(t, { member: { user_id: 'ann' } });
    const empty = pusher.subscribe(name);
    const miss = heard(empty, 'pusher:cache_miss');
    await heard(empty, 'pusher:subscription_succeeded');
    assert.equal(await miss, undefined);

    const live = heard(empty, 'price');
    await backend().trigger(name, 'price', { eur: 1 });
    await backend().trigger(name, 'price', { eur: 2 });
    assert.deepEqual(await live, { eur: 1 });

    const late = await connected(t, { member: { user_id: 'bob' } });
    const channel = late.subscribe(name);
    assert.deepEqual(await heard(channel, 'price'), { eur: 2 });
  });
}

test('subscribers are told how many they are', async (t) => {
  const name = unique('counted');
  const one = await connected(t);
  const channel = one.subscribe(name);
  const counted = (count) => heard(channel, 'pusher:subscription_count', (data) => data.subscription_count === count);
  await counted(1);
  const two = counted(2);
  const other = await connected(t);
  await subscribed(other, name);
  await two;
  assert.equal(channel.subscriptionCount, 2);
  const oneAgain = counted(1);
  other.disconnect();
  await oneAgain;
});

for (const prefix of ['private-encrypted-', 'private-encrypted-cache-']) {
  test(`a ${prefix} channel is decrypted by the client, and by nobody between`, async (t) => {
    const name = unique(`${prefix}room`);
    const [pusher, spy] = [await connected(t, { nacl }), await connected(t)];
    const channel = await subscribed(pusher, name);
    const raw = heard(spy.connection, 'message', (frame) => frame.event === 'secret');
    spy.send_event('pusher:subscribe', {
      channel: name,
      auth: backend().authorizeChannel(spy.connection.socket_id, name).auth,
    });
    await heard(spy.connection, 'message', ({ event }) => event === 'pusher_internal:subscription_succeeded');
    const event = heard(channel, 'secret');
    await backend().trigger(name, 'secret', { word: 'swordfish' });
    assert.deepEqual(await event, { word: 'swordfish' });
    assert.deepEqual(Object.keys((await raw).data).sort(), ['ciphertext', 'nonce']);
  });
}
