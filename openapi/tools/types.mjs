// TypeScript types of the document: node openapi/tools/types.mjs --output build/openapi.d.ts

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { optionsOf, rootFile } from './options.mjs';
import { nodeRuns } from './lint.mjs';

// A list of itself cannot be said by way of the interface that all schemas are in.
const NESTED = 'export type NestedList = (number | boolean | string | NestedList | { base64: string })[];';

export async function typesOf(document) {
  const ast = await openapiTS(pathToFileURL(document), {
    defaultNonNullable: false,
    inject: NESTED,
    transform: (schema, { path }) =>
      path?.endsWith('components/schemas/NestedList') ? ts.factory.createTypeReferenceNode('NestedList') : undefined,
  });
  return astToString(ast);
}

// types_test.ts uses what is generated: what it gets wrong on purpose must be an error, and nothing else may be one.
export async function checkTypes(document) {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkeep-types-'));
  try {
    const types = await typesOf(document);
    writeFileSync(join(folder, 'openapi.d.ts'), types);
    writeFileSync(join(folder, 'types_test.ts'), readFileSync(rootFile('openapi/types_test.ts')));
    const { status, text } = nodeRuns(
      rootFile('openapi/node_modules/typescript/bin/tsc'),
      ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', 'types_test.ts'],
      { cwd: folder },
    );
    return { problems: status === 0 ? [] : [text], told: `${types.split('\n').length} lines` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1]?.endsWith('tools/types.mjs')) {
  const options = optionsOf({ document: rootFile('openapi/openapi.yaml'), output: rootFile('build/openapi.d.ts') });
  writeFileSync(options.output, await typesOf(options.document));
}
