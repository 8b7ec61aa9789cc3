// The server library `pusher`: the HTTP API as a backend written in JavaScript uses it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { app, backend, connected, heard, subscribed, told, unique } from './support.mjs';

const api = backend();

async function json(response) {
  const answer = await response;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type').split(';')[0], 'application/json');
  return answer.json();
}

test('trigger answers an empty object', async () => {
  assert.deepEqual(await json(api.trigger(unique('public'), 'event', { a: 1 })), {});
});

test('one trigger reaches several channels', async (t) => {
  const names = [unique('one'), unique('two'), unique('three')];
  const pusher = await connected(t);
  const channels = await Promise.all(names.map((name) => subscribed(pusher, name)));
  const events = channels.map((channel) => heard(channel, 'event'));
  await api.trigger(names, 'event', { to: 'all' });
  assert.deepEqual(await Promise.all(events), names.map(() => ({ to: 'all' })));
});

test('trigger tells attributes of the channels', async (t) => {
  const [room, empty] = [unique('presence-room'), unique('presence-empty')];
  const pushers = [
    await connected(t, { member: { user_id: 'ann' } }),
    await connected(t, { member: { user_id: 'ann' } }),
  ];
  await Promise.all(pushers.map((pusher) => subscribed(pusher, room)));
  const answer = api.trigger([room, empty], 'event', {}, { info: 'user_count,subscription_count' });
  assert.deepEqual(await json(answer), {
    channels: {
      [room]: { user_count: 1, subscription_count: 2 },
      [empty]: { user_count: 0, subscription_count: 0 },
    },
  });
});

test('a batch goes out, leaves out the named socket and tells attributes by position', async (t) => {
  const name = unique('public');
  const pusher = await connected(t);
  const channel = await subscribed(pusher, name);
  const names = [];
  channel.bind_global((event) => names.push(event));
  const last = heard(channel, 'third');
  const answer = api.triggerBatch([
    { channel: name, name: 'first', data: { n: 1 }, info: 'subscription_count' },
    { channel: name, name: 'second', data: { n: 2 }, socket_id: pusher.connection.socket_id },
    { channel: name, name: 'third', data: 'text' },
  ]);
  assert.deepEqual(await json(answer), { batch: [{ subscription_count: 1 }, {}, {}] });
  assert.equal(await last, 'text');
  assert.deepEqual(names.filter((event) => !event.startsWith('pusher:')), ['first', 'third']);
  assert.deepEqual(await json(api.triggerBatch([{ channel: name, name: 'x', data: '' }])), {});
});

test('channels are listed with their counts', async (t) => {
  const room = unique('presence-listed');
  await subscribed(await connected(t, { member: { user_id: 'ann' } }), room);
  const params = { filter_by_prefix: room, info: 'user_count' };
  assert.deepEqual(await json(api.get({ path: '/channels', params })), { channels: { [room]: { user_count: 1 } } });
  assert.deepEqual(await json(api.get({ path: '/channels', params: { filter_by_prefix: 'no-such-' } })), {
    channels: {},
  });
});

test('one channel is described, occupied or not', async (t) => {
  const name = unique('cache-price');
  const path = `/channels/${name}`;
  assert.deepEqual(await json(api.get({ path })), { occupied: false });
  await subscribed(await connected(t), name);
  await api.trigger(name, 'price', { eur: 1 });
  const { occupied, subscription_count, cache } = await json(
    api.get({ path, params: { info: 'subscription_count,cache' } }),
  );
  assert.deepEqual({ occupied, subscription_count, data: cache.data }, {
    occupied: true,
    subscription_count: 1,
    data: '{"eur":1}',
  });
  assert.ok(cache.ttl > 0);
});

test('users of a presence channel are listed', async (t) => {
  const room = unique('presence-room');
  for (const user_id of ['ann', 'bob', 'ann']) {
    await subscribed(await connected(t, { member: { user_id } }), room);
  }
  const { users } = await json(api.get({ path: `/channels/${room}/users` }));
  assert.deepEqual(users.map(({ id }) => id).sort(), ['ann', 'bob']);
});

test("a user's connections are terminated", async (t) => {
  const id = unique('user');
  const pusher = await connected(t, { member: { user_id: id } });
  await subscribed(pusher, unique('presence-room'));
  const ended = heard(pusher.connection, 'disconnected');
  assert.deepEqual(await json(api.terminateUserConnections(id)), {});
  await ended;
});

test('errors have the statuses that the documentation names, and a JSON body', async () => {
  const name = unique('public');
  const cases = [
    [401, () => backend({ secret: 'wrong' }).trigger(name, 'event', {})],
    [401, () => backend({ key: 'wrong' }).trigger(name, 'event', {})],
    [404, () => backend({ appId: '999' }).trigger(name, 'event', {})],
    [403, () => backend({ appId: told('TEST_DISABLED_ID'), key: told('TEST_DISABLED_KEY') }).trigger(name, 'event', {})],
    [413, () => api.trigger(name, 'event', 'x'.repeat(200 * 1024))],
    [400, () => api.triggerBatch(Array.from({ length: 11 }, () => ({ channel: name, name: 'event', data: '' })))],
    [400, () => api.get({ path: `/channels/${name}/users` })],
    [400, () => api.get({ path: '/channels', params: { info: 'user_count' } })],
    [404, () => api.get({ path: '/no-such-path' })],
  ];
  for (const [index, [status, call]] of cases.entries()) {
    const error = await call().then(
      () => assert.fail(`case ${index} was not refused`),
      (problem) => problem,
    );
    assert.equal(error.status, status, `case ${index}: ${error.message} ${error.body}`);
    const body = JSON.parse(error.body);
    assert.equal(body.code, status);
    assert.notEqual(body.error, '');
  }
});

test('a signature that the library makes for a browser is taken once it is used elsewhere', async () => {
  const path = `/apps/${app.id}/channels`;
  const query = api.createSignedQueryString({ method: 'GET', path, params: { filter_by_prefix: 'x' } });
  const answer = await fetch(`${api.config.getBaseURL()}${path}?${query}`);
  assert.equal(answer.status, 200);
  await answer.text();
});
