// pusher-js: sign-in, events to users, watchlists, terminated users.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { backend, codeOf, connected, heard, subscribed, unique } from './support.mjs';

async function signedIn(t, user, options = {}) {
  const pusher = await connected(t, { user, ...options });
  const success = heard(pusher.connection, 'message', ({ event }) => event === 'pusher:signin_success');
  pusher.signin();
  await success;
  await pusher.user.signinDonePromise;
  return pusher;
}

test('a signed-in user receives what is sent to the user, on every connection', async (t) => {
  const id = unique('user');
  const pushers = [await signedIn(t, { id, name: 'Ann' }), await signedIn(t, { id })];
  assert.deepEqual(pushers[0].user.user_data, { id, name: 'Ann' });
  const events = pushers.map((pusher) => heard(pusher.user, 'note'));
  await backend().sendToUser(id, 'note', { text: 'for you' });
  assert.deepEqual(await Promise.all(events), [{ text: 'for you' }, { text: 'for you' }]);
});

test("another user's events do not arrive", async (t) => {
  const [ann, bob] = [unique('ann'), unique('bob')];
  const pusher = await signedIn(t, { id: ann });
  const names = [];
  pusher.user.bind_global((name) => names.push(name));
  const last = heard(pusher.user, 'last');
  await backend().sendToUser(bob, 'not-for-ann', {});
  await backend().sendToUser(ann, 'last', {});
  await last;
  assert.deepEqual(names, ['last']);
});

test('a sign-in with a wrong signature is ended with 4009', async (t) => {
  const pusher = await connected(t, {
    userAuthentication: {
      customHandler: (_, callback) => callback(null, { auth: 'app-key:00', user_data: '{"id":"ann"}' }),
    },
  });
  const error = heard(pusher.connection, 'error', (problem) => codeOf(problem) === 4009);
  const ended = heard(pusher.connection, 'disconnected');
  pusher.signin();
  await error;
  await ended;
});

test('a presence channel takes the member from the sign-in', async (t) => {
  const id = unique('user');
  const pusher = await signedIn(
    t,
    { id, user_info: { name: 'Ann' } },
    {
      channelAuthorization: {
        // The signature of a private channel: the member is not named in it.
        customHandler: ({ socketId, channelName }, callback) => {
          const { token } = backend().config;
          callback(null, { auth: `${token.key}:${token.sign(`${socketId}:${channelName}`)}` });
        },
      },
    },
  );
  const channel = await subscribed(pusher, unique('presence-room'));
  assert.deepEqual(channel.members.me, { id, info: { name: 'Ann' } });
});

test('a watchlist tells who is online, who comes and who goes', async (t) => {
  const [ann, bob, carl] = [unique('ann'), unique('bob'), unique('carl')];
  await signedIn(t, { id: bob });
  const pusher = await connected(t, { user: { id: ann, watchlist: [bob, carl] } });
  const { watchlist } = pusher.user;
  const states = Promise.all([heard(watchlist, 'online'), heard(watchlist, 'offline')]);
  pusher.signin();
  assert.deepEqual(await states, [
    { name: 'online', user_ids: [bob] },
    { name: 'offline', user_ids: [carl] },
  ]);

  const came = heard(watchlist, 'online');
  const other = await signedIn(t, { id: carl });
  assert.deepEqual(await came, { name: 'online', user_ids: [carl] });
  const went = heard(watchlist, 'offline');
  other.disconnect();
  assert.deepEqual(await went, { name: 'offline', user_ids: [carl] });
});

test('a terminated user is disconnected with 4009 and stays away', async (t) => {
  const id = unique('user');
  const pusher = await signedIn(t, { id });
  const other = await signedIn(t, { id: unique('other') });
  const error = heard(pusher.connection, 'error', (problem) => codeOf(problem) === 4009);
  const ended = heard(pusher.connection, 'disconnected');
  const states = [];
  await backend().terminateUserConnections(id);
  await Promise.all([error, ended]);
  pusher.connection.bind('state_change', ({ current }) => states.push(current));
  // Nothing can be awaited here: after a close that allows it, pusher-js comes back after one second.
  await pause(1500);
  assert.deepEqual(states, []);
  assert.equal(pusher.connection.state, 'disconnected');
  assert.equal(other.connection.state, 'connected');
});
