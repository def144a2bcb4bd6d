// Random sequences of requests against a live server, every answer judged. What is found is shrunk and told as curl lines.

import fc from 'fast-check';
import { Client } from '../client.mjs';
import { Judge } from './judge.mjs';
import { START, pool } from './pool.mjs';
import { refusals } from './refusals.mjs';
import { Requests } from './requests.mjs';
import { Values } from './values.mjs';

const SEQUENCE_MAX = 40;
const SHRINKS_MAX = 400;
const FINDINGS_MAX = 60;

export class Fuzz {
  constructor({ document, checker, reached, url, seed, requests, seconds, only, shrink = true }) {
    this.client = new Client(url);
    this.judge = new Judge(checker, refusals, reached);
    this.seed = seed;
    this.requestsMax = requests;
    this.until = performance.now() + 1000 * seconds;
    this.sent = 0;
    this.shrink = shrink;
    this.statuses = new Map();
    this.known = new Map(); // finding → its curl lines
    this.sequences = fc.array(new Requests(document, new Values(document, pool.names), pool).any(only), {
      minLength: 1,
      maxLength: SEQUENCE_MAX,
      size: 'max',
    });
  }

  // {sent, findings: [{text, curl}]}
  async run() {
    for (let round = 0; !this.over() && this.known.size < FINDINGS_MAX; round++) await this.hunt((this.seed * 7919 + round) | 0);
    this.client.close();
    return { sent: this.sent, statuses: this.statuses, findings: [...this.known].map(([text, curl]) => ({ text, curl })) };
  }

  over() {
    return this.sent >= this.requestsMax || performance.now() > this.until;
  }

  // Until one new finding, or until it is over.
  async hunt(seed) {
    let wanted = null;
    let tries = 0;
    let last = 0;
    const property = fc.asyncProperty(this.sequences, async (sequence) => {
      if (wanted === null ? this.over() : ++tries > SHRINKS_MAX) return;
      const found = await this.play(sequence, (text) => (wanted === null ? !this.known.has(text) : text === wanted));
      if (found === null) return;
      if (!this.shrink) {
        this.known.set(found.text, curlOf(sequence[found.at]));
        return;
      }
      wanted = found.text;
      last = found.at;
      throw new Error(wanted);
    });
    const result = await fc.check(property, { seed, numRuns: 1000, endOnFailure: false });
    if (!result.failed) return;
    const text = wanted ?? String(result.errorInstance?.stack);
    this.known.set(
      text,
      `seed ${seed}\n${result.counterexample[0]
        .slice(0, last + 1)
        .map(curlOf)
        .join('\n')}`,
    );
  }

  // {text, at}: the first finding that counts, and which request had it; or null.
  async play(sequence, counts) {
    await this.startState();
    for (const [at, request] of sequence.entries()) {
      let problems;
      try {
        const exchange = await this.client.send(request);
        this.sent++;
        this.count(request.operation, exchange.status);
        problems = this.judge.judge(exchange);
      } catch (broken) {
        if (broken.code === 'ERR_UNESCAPED_CHARACTERS' || broken.code === 'ERR_INVALID_CHAR') continue;
        problems = [`no proper answer: ${broken.message}`];
      }
      const found = problems.map((problem) => `${request.operation}: ${problem}`).find(counts);
      if (found) return { text: found, at };
    }
    return null;
  }

  async startState() {
    for (const request of START) {
      const { status, reply } = await this.client.send(request);
      this.sent++;
      if (status >= 400 && request.method !== 'DELETE')
        throw new Error(`the start state could not be made: ${request.method} ${request.target}: ${status} ${reply}`);
    }
  }

  count(operation, status) {
    const key = `${operation} ${status}`;
    this.statuses.set(key, (this.statuses.get(key) ?? 0) + 1);
  }
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf({ method, target, headers, body }) {
  const fields = Object.entries(headers)
    .map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`)
    .join('');
  const text =
    body === null
      ? ''
      : Buffer.isBuffer(body)
        ? ` --data-binary @<(base64 -d <<<${body.toString('base64')})`
        : ` --data-binary ${quoted(body)}`;
  return `curl --path-as-is -X ${method}${fields}${text} "$H"${quoted(target)}`;
}
