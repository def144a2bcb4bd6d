// Requests to the operations of the document: ones that fit, ones that nearly do, hostile ones.

import fc from 'fast-check';
import { isJson } from '../document.mjs';
import { HOSTILE, brokenText, changedValue } from './changes.mjs';

const hostile = fc.constantFrom(...HOSTILE);
const rarely = (usual, seldom, weight = 12) => fc.oneof({ arbitrary: usual, weight }, { arbitrary: seldom, weight: 1 });

export class Requests {
  constructor(document, values, pool) {
    this.document = document;
    this.values = values;
    this.pool = pool;
  }

  // Any request (to operations whose id has this word); each operation as often as another, but few delete.
  any(only = '') {
    const weight = ({ method }) => (method === 'DELETE' ? 1 : 3);
    return fc.oneof(
      ...this.document.operations
        .filter(({ id }) => !this.pool.left.has(id) && id.includes(only))
        .map((operation) => ({ arbitrary: this.to(operation), weight: weight(operation) })),
    );
  }

  to(operation) {
    return fc
      .record({
        operation: fc.constant(operation.id),
        method: rarely(fc.constant(operation.method), fc.constantFrom('HEAD', 'GET', 'PUT', 'POST', 'PATCH', 'DELETE'), 60),
        target: this.target(operation),
        head: this.headers(operation),
        sent: this.body(operation),
      })
      .map(({ operation: id, method, target, head, sent }) => ({
        operation: id,
        method,
        target,
        headers: { ...head, ...(sent.type ? { 'content-type': sent.type } : {}) },
        body: sent.body,
      }));
  }

  target(operation) {
    const inPath = operation.parameters.filter((p) => p.in === 'path');
    const segments = fc.record(Object.fromEntries(inPath.map((p) => [p.name, this.pathValue(operation, p)])));
    return fc.tuple(segments, fc.boolean(), this.query(operation)).map(([found, slashes, query]) => {
      const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encoded(found[name], slashes && name === 'name'));
      return (
        path +
        (query.length
          ? `?${query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`
          : '')
      );
    });
  }

  pathValue(operation, parameter) {
    const known = fc.constantFrom(...this.pool.inPath(operation, parameter.name));
    const fitting = this.values.at(parameter.schemaAt).map(String);
    return fc.oneof({ arbitrary: known, weight: 30 }, { arbitrary: fitting, weight: 2 }, { arbitrary: hostile, weight: 1 });
  }

  query(operation) {
    const takes = operation.parameters.filter((p) => p.in === 'query');
    const waits = takes.some((p) => this.pool.argumentsOnly.has(p.name));
    const each = fc.tuple(
      ...takes.map((p) =>
        fc.tuple(fc.constant(p.name), this.argument(p), p.required ? fc.constant(true) : fc.nat(3).map((n) => n === 0)),
      ),
    );
    const fitting = each.map((all) => all.filter(([, , used]) => used).map(([name, value]) => [name, value]));
    const unknown = fc
      .tuple(fitting, fc.constantFrom('no_such', 'Name', 'page_size ', ''), hostile)
      .map(([all, name, value]) => [...all, [name, value]]);
    const twice = fitting.map((all) => [...all, ...all.slice(0, 1)]);
    const nearly = fc
      .tuple(fitting, fc.nat(9), hostile)
      .map(([all, at, value]) => all.map((pair, index) => (index === at % all.length ? [pair[0], value] : pair)));
    if (waits) return fitting;
    return fc.oneof(
      { arbitrary: fitting, weight: 16 },
      { arbitrary: unknown, weight: 1 },
      { arbitrary: twice, weight: 1 },
      { arbitrary: nearly, weight: 2 },
    );
  }

  argument(parameter) {
    const known = this.pool.arguments.get(parameter.name.toLowerCase());
    if (this.pool.argumentsOnly.has(parameter.name)) return fc.constantFrom(...known);
    const fitting = this.values.at(parameter.schemaAt).map((value) => (Array.isArray(value) ? value.join(',') : String(value)));
    return known ? fc.oneof({ arbitrary: fc.constantFrom(...known), weight: 3 }, { arbitrary: fitting, weight: 1 }) : fitting;
  }

  headers(operation) {
    const takes = operation.parameters.filter((p) => p.in === 'header' && !this.pool.headersLeft.has(p.name.toLowerCase()));
    const fields = takes.map((p) =>
      fc.tuple(fc.constant(p.name.toLowerCase()), this.argument(p), p.required ? fc.constant(0) : fc.nat(3)),
    );
    const fitting = fc
      .tuple(...fields)
      .map((all) =>
        Object.fromEntries(
          all.filter(([, value, often]) => often === 0 && sendable(value)).map(([name, value]) => [name, value]),
        ),
      );
    const accept = fc.constantFrom(
      '*/*',
      'application/json',
      'application/x-npy',
      'application/octet-stream',
      'text/html',
      'application/vnd.safetensors',
      'application/json;q=0',
      'x',
    );
    // Conditions seldom hold: most requests have none, or nothing would be done.
    return fc
      .tuple(fitting, fc.nat(39), accept)
      .map(([found, often, value]) => (often === 0 ? { ...found, accept: value } : often < 10 ? found : {}));
  }

  // {type, body}
  body(operation) {
    const none = fc.constant({ type: null, body: null });
    if (!operation.body) return rarely(none, fc.constant({ type: 'application/json', body: '{}' }), 40);
    const kinds = [...operation.body.content].map(([type, media]) =>
      isJson(type) && media.schemaAt
        ? { arbitrary: this.jsonBody(operation, type, media), weight: 8 }
        : { arbitrary: this.bytesBody(type), weight: 1 },
    );
    const other = fc
      .constantFrom(
        'text/plain',
        'application/xml',
        'image/png',
        'application/x-www-form-urlencoded',
        'application/json; charset=latin1',
        'multipart/form-data',
        'x',
      )
      .map((type) => ({ type, body: '{}' }));
    return fc.oneof(
      { arbitrary: fc.oneof(...kinds), weight: 20 },
      { arbitrary: none, weight: operation.body.required ? 1 : 4 },
      { arbitrary: other, weight: 1 },
    );
  }

  jsonBody(operation, type, media) {
    const examples = [...examplesOf(media.node), ...(this.pool.bodies.get(operation.id) ?? [])];
    const built = this.values.at(media.schemaAt);
    const fitting = examples.length
      ? fc.oneof({ arbitrary: fc.constantFrom(...examples), weight: 2 }, { arbitrary: built, weight: 1 })
      : built;
    const changed = fitting.chain((value) => changedValue(value)).map((value) => JSON.stringify(value));
    const broken = fitting.chain((value) => brokenText(JSON.stringify(value)));
    const text = fc.oneof(
      { arbitrary: fitting.map((value) => JSON.stringify(value)), weight: 14 },
      { arbitrary: changed, weight: 5 },
      { arbitrary: broken, weight: 1 },
    );
    const types = fc.constantFrom(type, type, type, null, `${type}; charset=utf-8`);
    return fc.tuple(text, types).map(([body, sent]) => ({ type: sent, body }));
  }

  bytesBody(type) {
    const good = this.pool.files.get(type);
    const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    const body = good
      ? fc.oneof(fc.constantFrom(...good), noise, fc.tuple(fc.constantFrom(...good), fc.nat(), fc.nat(255)).map(flipped))
      : noise;
    return body.map((bytes) => ({ type, body: bytes }));
  }
}

// A name as it stands in a path; dots alone would be resolved by nobody here, they go as they are.
const encoded = (value, slashes) =>
  slashes ? String(value).split('/').map(encodeURIComponent).join('/') : encodeURIComponent(String(value));

const sendable = (value) => /^[\x20-\x7e]*$/.test(value);

function flipped([bytes, where, bits]) {
  const copy = Buffer.from(bytes);
  if (copy.length) copy[where % copy.length] ^= bits;
  return copy;
}

const examplesOf = (node) =>
  [...(node.example !== undefined ? [node.example] : []), ...Object.values(node.examples ?? {}).map(({ value }) => value)].filter(
    (value) => value !== undefined,
  );
