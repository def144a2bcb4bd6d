// The document by the linter's rules, the workflows against a live server, and types that are generated from it.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootFile } from './options.mjs';
import { Server } from './server.mjs';

const modules = rootFile('openapi/node_modules');
const REDOCLY = join(modules, '@redocly/cli/bin/cli.js');
const quiet = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1', FORCE_COLOR: '0' };

function node(script, args, options = {}) {
  const ended = spawnSync(process.execPath, ['--no-deprecation', script, ...args], { encoding: 'utf8', env: quiet, timeout: 300000, maxBuffer: 2 ** 26, ...options });
  return { status: ended.status, text: `${ended.stdout}${ended.stderr}`.trim() };
}

export function lintDocument(file) {
  const { status, text } = node(REDOCLY, ['lint', file, '--config', rootFile('openapi/redocly.yaml'), '--format', 'stylish', '--max-problems', '200']);
  const warned = /with \d+ warnings?|You have \d+ warnings?/.test(text);
  return { problems: status === 0 && !warned ? [] : [text] };
}

// Every openapi/arazzo/*.yaml, each against a server of its own.
export async function runWorkflows(binary) {
  const folder = rootFile('openapi/arazzo');
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort() : [];
  const problems = files.length ? [] : ['there is no workflow in openapi/arazzo'];
  for (const file of files) {
    const server = await Server.start(binary);
    try {
      const { status, text } = node(REDOCLY, ['respect', join(folder, file), '--server', `tensorkeep=${server.url}`, '--config', rootFile('openapi/redocly.yaml')]);
      if (status !== 0) problems.push(`${file}:\n${text}`);
    } finally {
      await server.stop();
    }
  }
  return { count: files.length, problems };
}

// types_test.ts uses what is generated: what it calls wrong must be an error, and nothing else.
export function checkTypes(document) {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkeep-types-'));
  try {
    const made = node(join(modules, 'openapi-typescript/bin/cli.js'), [document, '--output', join(folder, 'openapi.d.ts')]);
    if (made.status !== 0) return { problems: [made.text] };
    writeFileSync(join(folder, 'types_test.ts'), readFileSync(rootFile('openapi/types_test.ts')));
    const compiled = node(join(modules, 'typescript/bin/tsc'), ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
      '--skipLibCheck', 'false', 'types_test.ts'], { cwd: folder });
    return { problems: compiled.status === 0 ? [] : [compiled.text] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
