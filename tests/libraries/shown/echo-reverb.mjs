// Subscribes as docs/clients.md shows it, says so, prints the first event, and ends.

import Echo from 'laravel-echo';
import Pusher from 'pusher-js';

const key = 'KEY';
const echo = new Echo({broadcaster: "reverb", Pusher, key, wsHost: "localhost", wsPort: 6001, wssPort: 443, forceTLS: false, enabledTransports: ["ws", "wss"]});
echo
  .channel('shown')
  .subscribed(() => console.log('subscribed'))
  .listen('.event', (data) => {
    console.log(data);
    process.exit();
  });
