// What must hold for the answer to any request whatever.

import { isJson } from '../document.mjs';
import { parsed } from '../exchange.mjs';

const SLOW_MS = 3000;
const WAITS = /[?&]feed=longpoll/; // for as long as it asks
const REFUSED = new Set([400, 415, 422]);

export class Judge {
  constructor(checker, refusals, reached) {
    this.checker = checker;
    this.refusals = refusals;
    this.reached = reached;
  }

  // The texts of what is wrong; [] is the normal case.
  judge(exchange) {
    const checked = this.checker.check(exchange);
    const { operation, response, type } = checked;
    const problems = [...checked.problems];
    if (!problems.length && exchange.method !== 'HEAD') this.reached.mark(operation, response, type);
    if (exchange.status >= 500 && exchange.status !== 507) problems.push(`status ${exchange.status}: ${detailOf(exchange)}`);
    if (!WAITS.test(exchange.target) && exchange.ms > SLOW_MS * (Number(process.env.TENSORKEEP_PATIENCE) || 1))
      problems.push(`the answer took ${Math.round(exchange.ms)} ms`);
    if (exchange.reply_headers['x-injected'] !== undefined) problems.push('a header of the request became one of the reply');
    if (isJson(type) && exchange.method !== 'HEAD' && exchange.status >= 400) problems.push(...problemDocument(exchange));
    if (operation && REFUSED.has(exchange.status) && exchange.method !== 'HEAD')
      problems.push(...this.refusal(exchange, operation));
    return problems;
  }

  // A request that fits the document may be refused for what the store holds, or for what the parts of it mean together.
  refusal(exchange, operation) {
    const { values, query } = this.checker.matcher.find(exchange.method, exchange.target);
    if (!this.fits(exchange, operation, values, query)) return [];
    const detail = detailOf(exchange);
    if (this.refusals.some(({ operations, says }) => (!operations || operations.test(operation.id)) && says.test(detail)))
      return [];
    return [`fits the document and was refused with ${exchange.status}: ${general(detail)}`];
  }

  fits(exchange, operation, values, query) {
    // What the checks of accepted requests know nothing of: bytes of a format, repeated arguments, keys that are there
    // twice, halves of characters.
    if (operation.body?.required && !exchange.body_bytes) return false;
    if (!jsonAlone(exchange, operation) || (exchange.body_bytes && exchange.body === null)) return false;
    if (new Set(query.map(([name]) => name)).size < query.length) return false;
    if (exchange.body_bytes && (JSON.stringify(parsed(exchange.body)) !== exchange.body || /\\ud[89a-f]/.test(exchange.body)))
      return false;
    return this.checker.request(exchange, operation, values, query).length === 0;
  }
}

// A body without a type is what Tensor-Dtype says, where that is there.
function jsonAlone({ headers, body_bytes: bytes }, operation) {
  if (!bytes && !headers['content-type']) return true;
  const type =
    headers['content-type'] ??
    (headers['tensor-dtype'] || headers['tensor-shape'] ? 'application/octet-stream' : 'application/json');
  return operation.body?.content.has('application/json') && /^application\/json(; charset=utf-8)?$/.test(type);
}

function problemDocument(exchange) {
  const body = parsed(exchange.reply);
  return body?.status === exchange.status
    ? []
    : [`the problem document says status ${body?.status}, the reply ${exchange.status}`];
}

const detailOf = (exchange) => parsed(exchange.reply ?? '')?.detail ?? exchange.reply?.slice(0, 200) ?? '';

// The same complaint about another thing is the same finding.
const general = (detail) =>
  detail
    .replace(/'[^']*'/g, "'…'")
    .replace(/"[^"]*"/g, '"…"')
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, 'N')
    .replace(/(N, ?)+N/g, 'N')
    .slice(0, 200);
