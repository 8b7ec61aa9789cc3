// Subscribes as docs/clients.md shows it, says so, prints the first event, and ends.

import Pusher from 'pusher-js';

const key = 'KEY';
const pusher = new Pusher(key, {wsHost: "localhost", wsPort: 6001, wssPort: 443, forceTLS: false, enabledTransports: ["ws", "wss"], cluster: ""});
const channel = pusher.subscribe('shown');
channel.bind('pusher:subscription_succeeded', () => console.log('subscribed'));
channel.bind('event', (data) => {
  console.log(data);
  process.exit();
});
