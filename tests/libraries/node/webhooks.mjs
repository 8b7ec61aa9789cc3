// Has the official Node library read webhooks: `node webhooks.mjs KEY SECRET FILE`.
//
// The file is a JSON list of requests, each with `headers` and `rawBody`; what the library makes of each is printed.

import { readFileSync } from 'node:fs';

import Backend from 'pusher';

const [key, secret, file] = process.argv.slice(2);
const backend = new Backend({ appId: '1', key, secret });
const read = JSON.parse(readFileSync(file, 'utf8')).map((request) => {
  const webhook = backend.webhook(request);
  if (!webhook.isValid()) return null;
  return { time: webhook.getTime().getTime(), events: webhook.getEvents() };
});
console.log(JSON.stringify(read));
