// The document's curl lines, in its order, against a fresh server: none may be refused.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from './server.mjs';

const SECONDS = 60;

// A pipe hides the exit status of what stands before it: what was refused is written down.
const CURL = 'curl() { command curl -sS --fail-with-body "$@" || { echo "curl: exit status $?" >>"$REFUSED"; return 22; }; }';

export function samplesOf(document) {
  return document.operations.map(({ id, node }) => ({
    id,
    source: (node['x-codeSamples'] ?? [])
      .filter(({ lang }) => /^(curl|shell|sh|bash)$/i.test(lang))
      .map(({ source }) => source)
      .join('\n'),
  }));
}

export async function runSamples(document, binary) {
  const samples = samplesOf(document);
  const problems = samples.filter(({ source }) => !source).map(({ id }) => `${id}: no curl line (x-codeSamples)`);
  const work = mkdtempSync(join(tmpdir(), 'tensorkeep-samples-'));
  const server = await Server.start(binary, ['--checkpoint-root', work]);
  try {
    for (const { id, source } of samples.filter((sample) => sample.source)) {
      const refused = join(work, '.refused');
      const environment = { ...process.env, H: server.url, REFUSED: refused };
      const ended = spawnSync('bash', ['-e', '-c', `${CURL}\n${source}`], {
        cwd: work,
        env: environment,
        encoding: 'utf8',
        timeout: SECONDS * 1000,
      });
      const told = textIn(refused);
      if (ended.status !== 0 || told)
        problems.push(
          `${id}: exit status ${ended.status} ${told}\n${source.trim()}\n${ended.stdout.slice(-600)}${ended.stderr.slice(-600)}`,
        );
      rmSync(refused, { force: true });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
    await server.stop();
  }
  return { count: samples.length, problems };
}

function textIn(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
