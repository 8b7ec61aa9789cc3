// A TCP relay in front of a server: tells which WebSocket frames pass, and holds clients while the server is away.

import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';

import { WAIT } from './support.mjs';

export const PING = 0x9;
export const PONG = 0xa;

export class Relay extends EventEmitter {
  host = '127.0.0.1';
  port = 0;
  // Where new connections go: a host and port, or a promise of them.
  target;
  #sockets = new Set();
  #listener;

  static async start(t, target) {
    const relay = new Relay();
    relay.target = target;
    relay.#listener = createServer(async (near) => {
      near.on('error', () => near.destroy());
      const { host, port } = await relay.target;
      relay.#join(near, connect(port, host));
    });
    relay.#listener.listen(0, relay.host);
    await once(relay.#listener, 'listening');
    relay.port = relay.#listener.address().port;
    t.after(() => {
      relay.#listener.close();
      for (const socket of relay.#sockets) socket.destroy();
    });
    return relay;
  }

  // Resolves with the next frame from 'client' or 'server' that has this opcode: its payload.
  async frame(from, opcode) {
    const signal = AbortSignal.timeout(WAIT);
    for (;;) {
      const [frame] = await once(this, from, { signal });
      if (frame.opcode === opcode) return frame.payload;
    }
  }

  #join(near, far) {
    for (const [from, source, sink] of [
      ['client', near, far],
      ['server', far, near],
    ]) {
      this.#sockets.add(source);
      const read = frames((frame) => this.emit(from, frame));
      source.on('data', (data) => {
        sink.write(data);
        read(data);
      });
      source.on('end', () => sink.end());
      source.on('error', () => sink.destroy());
      source.on('close', () => this.#sockets.delete(source));
    }
  }
}

// Returns a function that takes what passes one way, the HTTP head first, and tells the frames.
function frames(tell) {
  let rest = Buffer.alloc(0);
  let inHead = true;
  return (data) => {
    rest = Buffer.concat([rest, data]);
    if (inHead) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      rest = rest.subarray(end + 4);
      inHead = false;
    }
    for (let frame = first(rest); frame; frame = first(rest)) {
      rest = rest.subarray(frame.length);
      tell(frame);
    }
  };
}

function first(data) {
  if (data.length < 2) return null;
  const short = data[1] & 0x7f;
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
  const mask = data[1] & 0x80 ? 4 : 0;
  const start = 2 + extra + mask;
  if (data.length < start) return null;
  const size = extra === 8 ? Number(data.readBigUInt64BE(2)) : extra === 2 ? data.readUInt16BE(2) : short;
  if (data.length < start + size) return null;
  const payload = Buffer.from(data.subarray(start, start + size));
  if (mask) payload.forEach((byte, at) => (payload[at] = byte ^ data[start - 4 + (at % 4)]));
  return { opcode: data[0] & 0xf, payload, length: start + size };
}
