// What the tests are told by environment variables, the clients they use, and how they wait.

import { createRequire } from 'node:module';

import Backend from 'pusher';

const require = createRequire(import.meta.url);
// CommonJS modules whose exports Node cannot name.
export const Pusher = require('pusher-js');

// What is waited for arrives within this time or the test fails.
export const WAIT = 5000;

const MASTER_KEY = Buffer.alloc(32, 'k').toString('base64');

export const app = {
  id: told('TEST_APP_ID'),
  key: told('TEST_APP_KEY'),
  secret: told('TEST_APP_SECRET'),
};

export const server = { host: told('TEST_HOST'), port: Number(told('TEST_PORT')) };

export function told(name) {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: pytest runs these files (tests/libraries/test_node.py)`);
  return value;
}

let names = 0;

// The tests of all files share one server.
export function unique(name) {
  names += 1;
  return `${name}-${process.pid}-${names}`;
}

export function backend({ at = server, ...changes } = {}) {
  return new Backend({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: at.host,
    port: at.port,
    useTLS: false,
    timeout: WAIT,
    encryptionMasterKeyBase64: MASTER_KEY,
    ...changes,
  });
}

// A pusher-js client that is closed at the end of the test. `member` is who it is on presence channels, `user` who it
// signs in as: what an application's backend would look up.
export function client(t, { at = server, key = app.key, member, user, ...options } = {}) {
  const signer = backend();
  const pusher = new Pusher(key, {
    cluster: '',
    wsHost: at.host,
    wsPort: at.port,
    forceTLS: false,
    enabledTransports: ['ws'],
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, callback) =>
        callback(
          null,
          signer.authorizeChannel(socketId, channelName, channelName.startsWith('presence-') ? member : undefined),
        ),
    },
    userAuthentication: {
      customHandler: ({ socketId }, callback) => callback(null, signer.authenticateUser(socketId, user)),
    },
    ...options,
  });
  t.after(() => pusher.disconnect());
  return pusher;
}

export async function connected(t, options) {
  const pusher = client(t, options);
  await heard(pusher.connection, 'connected');
  return pusher;
}

export async function subscribed(pusher, name) {
  const channel = pusher.subscribe(name);
  await heard(channel, 'pusher:subscription_succeeded');
  return channel;
}

// Resolves with the next `name` event of anything that has bind and unbind, for which `accept` holds: its data.
export async function heard(emitter, name, accept) {
  const { data } = await heardWhole(emitter, name, accept);
  return data;
}

// Resolves with data and metadata.
export function heardWhole(emitter, name, accept = () => true) {
  const { stack } = new Error(`"${name}" was not heard within ${WAIT} ms`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      emitter.unbind(name, hear);
      reject(new Error(stack.replace(/^Error: /, '')));
    }, WAIT);
    function hear(data, metadata) {
      if (!accept(data, metadata)) return;
      clearTimeout(timer);
      emitter.unbind(name, hear);
      resolve({ data, metadata });
    }
    emitter.bind(name, hear);
  });
}

// The Pusher code in an error of a connection, whichever of its shapes pusher-js gives it.
export function codeOf(error) {
  return error.data?.code ?? error.error?.data?.code;
}

// All events that reach a channel or a client from now on, protocol events left out.
export function recorded(emitter) {
  const events = [];
  emitter.bind_global((name, data) => {
    if (!name.startsWith('pusher:')) events.push([name, data]);
  });
  return events;
}
