// HTTP as the tools speak it: targets go out as they are written, replies come back in the shape of a recorded exchange.

import http from 'node:http';

const BODY_BYTES_MAX = 65536;

export class Client {
  constructor(url, timeoutMs = 20000) {
    const { hostname, port } = new URL(url);
    this.host = hostname.replace(/^\[|\]$/g, '');
    this.port = Number(port);
    this.timeoutMs = timeoutMs;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  }

  close() {
    this.agent.destroy();
  }

  async send({ method, target, headers = {}, body = null }) {
    for (let again = 0; ; again++) {
      try {
        return await this.once(method, target, headers, body);
      } catch (broken) {
        // A kept connection may be closed by the server between two requests.
        if (again || !['ECONNRESET', 'EPIPE'].includes(broken.code)) throw broken;
      }
    }
  }

  once(method, target, headers, body) {
    const bytes = body === null ? null : Buffer.from(body);
    const sent = { ...headers };
    if (bytes) sent['content-length'] = String(bytes.length);
    const began = performance.now();
    return new Promise((done, fail) => {
      const request = http.request({
        host: this.host,
        port: this.port,
        agent: this.agent,
        method,
        path: target,
        headers: sent,
        timeout: this.timeoutMs,
      });
      request.on('error', fail);
      request.on('timeout', () => request.destroy(new Error(`no answer within ${this.timeoutMs} ms`)));
      request.on('response', (reply) => {
        const pieces = [];
        const finish = () =>
          done(exchange(method, target, headers, bytes, reply, Buffer.concat(pieces), performance.now() - began));
        reply.on('error', fail);
        reply.on('data', (piece) => {
          pieces.push(piece);
          // A stream of events has no end: its first is enough.
          if (reply.headers['content-type']?.startsWith('text/event-stream')) {
            reply.removeAllListeners('error');
            request.removeAllListeners('error');
            request.on('error', () => {});
            reply.on('error', () => {});
            finish();
            request.destroy();
          }
        });
        reply.on('end', finish);
      });
      request.end(bytes ?? undefined);
    });
  }
}

function exchange(method, target, headers, bytes, reply, got, ms) {
  const body = textOf(bytes);
  return {
    method,
    target,
    headers: lower(headers),
    body,
    body_bytes: bytes?.length ?? 0,
    status: reply.statusCode,
    reply_headers: reply.headers,
    reply: textOf(got),
    reply_bytes: got.length,
    ms,
  };
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes) {
  if (bytes === null || bytes.length > BODY_BYTES_MAX) return null;
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
