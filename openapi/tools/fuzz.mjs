// The contract fuzzer by hand: node openapi/tools/fuzz.mjs --server build/tensorkeep --requests 200000 [--seed N]
//   [--only word]     operations whose id has the word
//   [--shrink no]     tell what is found as it came, for a first look at much
//   [--statuses yes]  how often each operation answered with what

import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Document } from './document.mjs';
import { Checker } from './exchange.mjs';
import { Matcher } from './match.mjs';
import { optionsOf, rootFile } from './options.mjs';
import { Reached } from './recording.mjs';
import { Server } from './server.mjs';
import { Fuzz } from './fuzz/run.mjs';

// Small limits, so that what is large is refused at once, and no limit on how much one client may ask.
const FLAGS = [
  '--tensor-max-bytes',
  '1m',
  '--expression-max-bytes',
  '4m',
  '--expression-operations-max',
  '1000000',
  '--durability',
  'interval=1000',
];

export async function fuzz({ document, server: binary, seed, requests, seconds, only = '', shrink = true }) {
  const files = mkdtempSync(join(tmpdir(), 'tensorkeep-fuzz-'));
  const server = await Server.start(binary, ['--checkpoint-root', files, ...FLAGS]);
  const reached = new Reached(document);
  const checker = new Checker(document, new Matcher(document.operations));
  const result = await new Fuzz({ document, checker, reached, url: server.url, seed, requests, seconds, only, shrink }).run();
  const ended = await server.stop();
  rmSync(files, { recursive: true, force: true });
  if (ended !== 0) result.findings.push({ text: `the server ended with ${ended}`, curl: server.errors.slice(-2000) });
  return { ...result, reached };
}

async function main() {
  const options = optionsOf({
    server: 'build/tensorkeep',
    document: rootFile('openapi/openapi.yaml'),
    seed: String(randomInt(2 ** 30)),
    requests: '200000',
    seconds: '3600',
    only: '',
    statuses: '',
    shrink: 'yes',
  });
  if (!existsSync(options.server)) throw new Error(`there is no server at ${options.server}`);
  const document = Document.load(options.document);
  const began = performance.now();
  const { sent, findings, statuses } = await fuzz({
    ...options,
    document,
    seed: Number(options.seed),
    requests: Number(options.requests),
    seconds: Number(options.seconds),
    shrink: options.shrink === 'yes',
  });
  if (options.statuses) for (const [key, count] of [...statuses].sort()) console.log(`${key} ${count}`);
  for (const { text, curl } of findings) console.log(`--- ${text}\n${curl}`);
  console.log(
    `${sent} requests in ${Math.round((performance.now() - began) / 1000)} s, seed ${options.seed}: ${findings.length} findings`,
  );
  process.exitCode = findings.length ? 1 : 0;
}

if (process.argv[1]?.endsWith('tools/fuzz.mjs')) await main();
