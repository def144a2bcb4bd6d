// A server of its own for a tool: a temporary data folder, a port that the system picks, gone when the tool ends.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const START_MS = 60000;
const STOP_MS = 20000;

export class Server {
  static async start(binary, flags = []) {
    const server = new Server();
    server.root = mkdtempSync(join(tmpdir(), 'tensorkeep-conformance-'));
    server.errors = '';
    server.child = spawn(resolve(binary), ['--data', join(server.root, 'data'), '--port', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server.child.stderr.on('data', (piece) => {
      server.errors = (server.errors + piece).slice(-20000);
    });
    server.ended = new Promise((done) =>
      server.child.once('exit', (code, signal) => {
        server.exit = { code, signal };
        done();
      }),
    );
    server.atExit = () => {
      server.child.kill('SIGKILL');
      rmSync(server.root, { recursive: true, force: true });
    };
    process.once('exit', server.atExit);
    for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => process.exit(1));
    server.url = await server.listening();
    return server;
  }

  listening() {
    return new Promise((done, fail) => {
      let text = '';
      const timer = setTimeout(() => fail(new Error(`the server did not start within ${START_MS} ms`)), START_MS);
      this.child.stdout.on('data', (piece) => {
        text += piece;
        const found = /^listening on (http:\/\/\S+)$/m.exec(text);
        if (found) {
          clearTimeout(timer);
          done(found[1]);
        }
      });
      this.ended.then(() => {
        clearTimeout(timer);
        fail(new Error(`the server ended at once:\n${this.errors}`));
      });
    });
  }

  // Its exit status; a server that had to be killed gives null.
  async stop() {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(timer);
    process.removeListener('exit', this.atExit);
    rmSync(this.root, { recursive: true, force: true });
    return this.exit.code;
  }
}
