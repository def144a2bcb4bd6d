// The document against everything that it speaks of. Stage after stage, all of them, so that one run tells everything.
//
//   node openapi/tools/conformance.mjs --server build/tensorkeep --recording FOLDER [--seed N] [--requests N] [--seconds N] [--only stage]

import { Client } from './client.mjs';
import { Document } from './document.mjs';
import { Checker } from './exchange.mjs';
import { fuzz } from './fuzz.mjs';
import { lintDocument, runWorkflows } from './lint.mjs';
import { Matcher } from './match.mjs';
import { optionsOf, rootFile } from './options.mjs';
import { Reached, checkRecording } from './recording.mjs';
import { runSamples } from './samples.mjs';
import { Server } from './server.mjs';
import { compareLists, compareRoutes, compareSettings, read, routesIn, settingsIn } from './tables.mjs';
import { checkTypes } from './types.mjs';

const SHOWN_MAX = 400;

const options = optionsOf({
  server: rootFile('build/tensorkeep'),
  document: rootFile('openapi/openapi.yaml'),
  recording: rootFile('build/release/recording'),
  seed: '1',
  requests: '20000',
  seconds: '60',
  only: '',
});
const document = Document.load(options.document);
const checker = new Checker(document, new Matcher(document.operations));

// Each gives {problems, told}: what is wrong, and what to say of it when nothing is.
const STAGES = {
  lint: async () => ({ ...lintDocument(options.document), told: `${document.operations.length} operations` }),

  tables: async () => {
    const routes = routesIn(read(rootFile('api/routes.def')));
    const settings = settingsIn(read(rootFile('service/settings.def')));
    const server = await Server.start(options.server);
    const client = new Client(server.url);
    try {
      const problems = [
        ...compareRoutes(document, routes),
        ...compareSettings(document, settings),
        ...(await compareLists(document, client)),
      ];
      return { problems, told: `${routes.length} routes, ${settings.size} settings` };
    } finally {
      client.close();
      await server.stop();
    }
  },

  recorded: async () => {
    const reached = new Reached(document);
    const { count, problems } = await checkRecording(options.recording, checker, reached);
    const never = reached.never();
    return {
      problems: [...problems, ...never.map((key) => `never reached: ${key}`)],
      told: `${count} exchanges, ${reached.promised.size} promises, none never reached`,
    };
  },

  samples: async () => {
    const { count, problems } = await runSamples(document, options.server);
    return { problems, told: `${count} operations` };
  },

  workflows: async () => {
    const { count, problems } = await runWorkflows(options.server);
    return { problems, told: `${count} files` };
  },

  types: async () => checkTypes(options.document),

  fuzz: async () => {
    const { sent, findings } = await fuzz({
      document,
      server: options.server,
      seed: Number(options.seed),
      requests: Number(options.requests),
      seconds: Number(options.seconds),
    });
    return { problems: findings.map(({ text, curl }) => `${text}\n${curl}`), told: `${sent} requests, seed ${options.seed}` };
  },
};

let passed = 0;
let failed = 0;
for (const [name, stage] of Object.entries(STAGES).filter(
  ([stage]) => !options.only || options.only.split(',').includes(stage),
)) {
  const began = performance.now();
  let result;
  try {
    result = await stage();
  } catch (broken) {
    result = { problems: [broken.stack] };
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (result.problems.length) {
    failed++;
    for (const problem of result.problems.slice(0, SHOWN_MAX)) console.log(`  ${problem}`);
    if (result.problems.length > SHOWN_MAX) console.log(`  … and ${result.problems.length - SHOWN_MAX} more`);
    console.log(`FAIL conformance/${name} (${result.problems.length} problems, ${seconds} s)`);
  } else {
    passed++;
    console.log(`ok   conformance/${name} (${result.told ? `${result.told}, ` : ''}${seconds} s)`);
  }
}
process.exitCode = failed ? 1 : 0;
