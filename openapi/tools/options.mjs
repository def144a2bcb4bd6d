// Command lines of the tools: --name value, no other.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const rootFile = (name) => join(ROOT, name);

export function optionsOf(defaults) {
  const options = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value }]));
  return parseArgs({ options, strict: true }).values;
}
