// A server of a test's own, where the shared one will not do: one with other settings, or one that is stopped.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { app, told, WAIT } from './support.mjs';

const KEPT = ['PATH', 'HOME', 'LANG', 'PYTHONPATH'];

export class OwnServer {
  host = '127.0.0.1';
  port = 0;
  #folder = mkdtempSync(join(tmpdir(), 'sockudo-'));
  #settings;
  #process = null;

  constructor(settings) {
    this.#settings = settings;
  }

  static async start(t, settings = {}) {
    const server = new OwnServer(settings);
    t.after(() => server.#remove());
    await server.start();
    return server;
  }

  // Start again, on the port it had before.
  async start() {
    const config = join(this.#folder, 'config.json');
    const apps = [{ ...app, enable_client_messages: true, enable_user_authentication: true }];
    writeFileSync(
      config,
      JSON.stringify({ host: this.host, port: this.port, app_manager: { array: { apps } }, ...this.#settings }),
    );
    const [program, ...args] = JSON.parse(told('TEST_SERVE_COMMAND'));
    this.#process = spawn(program, [...args, '--config', config], {
      cwd: this.#folder,
      env: { ...Object.fromEntries(KEPT.map((name) => [name, process.env[name]])), PYTHONUNBUFFERED: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    this.#process.stderr.on('data', (data) => (log += data));
    for await (const line of createInterface({ input: this.#process.stdout })) {
      log += `${line}\n`;
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) {
        this.port = Number(found[1]);
        this.#process.stdout.resume();
        return;
      }
    }
    throw new Error(`the server did not start:\n${log}`);
  }

  // Returns the exit status.
  async stop(signal = 'SIGTERM') {
    const ended = once(this.#process, 'exit', { signal: AbortSignal.timeout(4 * WAIT) });
    this.#process.kill(signal);
    const [status] = await ended;
    return status;
  }

  #remove() {
    this.#process?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
