// The document by the linter's rules, and the workflows against a live server.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rootFile } from './options.mjs';
import { Server } from './server.mjs';

const REDOCLY = rootFile('openapi/node_modules/@redocly/cli/bin/cli.js');
const quiet = {
  ...process.env,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  NO_COLOR: '1',
  FORCE_COLOR: '0',
};

export function nodeRuns(script, args, options = {}) {
  const ended = spawnSync(
    process.execPath,
    ['--no-deprecation', '--require', rootFile('openapi/tools/old_node.cjs'), script, ...args],
    { encoding: 'utf8', env: quiet, timeout: 300000, maxBuffer: 2 ** 26, ...options },
  );
  return { status: ended.status, text: `${ended.stdout}${ended.stderr}`.trim() };
}

export function lintDocument(file) {
  const { status, text } = nodeRuns(REDOCLY, [
    'lint',
    file,
    ...workflowFiles(),
    '--config',
    rootFile('openapi/redocly.yaml'),
    '--format',
    'stylish',
    '--max-problems',
    '200',
  ]);
  const warned = /with \d+ warnings?|You have \d+ warnings?/.test(text);
  return { problems: status === 0 && !warned ? [] : [text] };
}

const ARAZZO = rootFile('openapi/arazzo');

const workflowFiles = () =>
  readdirSync(ARAZZO)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(ARAZZO, name));

// Each against a server of its own.
export async function runWorkflows(binary) {
  const files = workflowFiles();
  const problems = [];
  for (const file of files) {
    const server = await Server.start(binary);
    try {
      const { status, text } = nodeRuns(REDOCLY, ['respect', file, '--server', `tensorkeep=${server.url}`]);
      if (status !== 0) problems.push(`${file}:\n${text}`);
    } finally {
      await server.stop();
    }
  }
  return { count: files.length, problems };
}
