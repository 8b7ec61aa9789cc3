// Publishes as docs/clients.md shows it.

import Pusher from 'pusher';

const [appId, key, secret] = ['ID', 'KEY', 'SECRET'];
const pusher = new Pusher({appId, key, secret, host: "localhost", port: "6001", useTLS: false});
pusher.trigger('shown', 'event', 'hello');
