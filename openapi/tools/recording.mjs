// What the black-box suite recorded, against the document; and what the document promises that nothing reached.

import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { typeFits } from './document.mjs';

export async function* exchangesIn(folder) {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.jsonl'))
        .sort()
    : [];
  if (!files.length)
    throw new Error(`nothing was recorded in ${folder}: run the black-box suite with TENSORKEEP_RECORD=${folder}`);
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(join(folder, file)) })) {
      // A test file that was killed leaves half a line.
      if (line.endsWith('}')) yield { file: file.slice(0, -6), ...JSON.parse(line) };
    }
  }
}

// Problems of many exchanges, each told once, with how often and the first that had it.
export class Findings {
  constructor() {
    this.found = new Map();
  }

  add(where, problem, example) {
    const text = `${where}: ${problem}`;
    const known = this.found.get(text);
    if (known) known.count++;
    else this.found.set(text, { text, count: 1, example });
  }

  lines() {
    return [...this.found.values()].map(({ text, count, example }) => `${text}\n      ${count} times, first ${example}`);
  }
}

// What the document promises: operation, status, media type. A refusal that is given whatever the operation is counts once.
export class Reached {
  constructor(document) {
    this.promised = new Map();
    for (const operation of document.operations) {
      for (const [status, response] of operation.responses) {
        const statuses = status === 'default' ? (response.node['x-statuses'] ?? []) : [status];
        for (const one of statuses)
          for (const type of typesOf(response)) this.promised.set(keyOf(operation, status, one, type), false);
      }
    }
  }

  mark(operation, response, type) {
    if (!operation || !response) return;
    const general = operation.responses.has(response.status) ? response.status : 'default';
    for (const documented of typesOf(response)) {
      if (documented === '' || typeFits(documented, type))
        this.promised.set(keyOf(operation, general, response.status, documented), true);
    }
  }

  never() {
    return [...this.promised].filter(([, reached]) => !reached).map(([key]) => key);
  }
}

const typesOf = (response) => (response.content.size ? [...response.content.keys()] : ['']);

const keyOf = (operation, entry, status, type) =>
  `${entry === 'default' ? 'any operation' : operation.id} ${status} ${type}`.trim();

export async function checkRecording(folder, checker, reached) {
  const findings = new Findings();
  let count = 0;
  for await (const exchange of exchangesIn(folder)) {
    count++;
    const { operation, response, type, problems } = checker.check(exchange);
    // A reply to HEAD has no body to be of a type, and one that is not as documented reaches nothing.
    if (exchange.method !== 'HEAD' && !problems.length) reached.mark(operation, response, type);
    for (const problem of problems) {
      findings.add(
        operation?.id ?? exchange.method,
        problem,
        `in ${exchange.file} ${exchange.test}: ${exchange.method} ${exchange.target.slice(0, 160)}`,
      );
    }
  }
  return { count, problems: findings.lines() };
}
