// The server's tables and the document, compared both ways: routes and their arguments, ops, optimizers, verbs, settings.

import { readFileSync } from 'node:fs';

const ROUTE = /^ROUTE\((\w+), "([^"]+)", (\w+), \w+, \w+, (\w+), "([^"]*)"/gm;
const SETTING = /^SETTING\((\w+), (\w+), ("[^"]*"|[^,]+), ([^,]+), ([^,]+), "/gm;

export const routesIn = (text) =>
  [...text.matchAll(ROUTE)].map(([, method, path, id, body, query]) => ({
    method,
    path,
    id,
    body,
    query: query.split('|').filter(Boolean),
  }));

export const settingsIn = (text) =>
  new Map(
    [...text.matchAll(SETTING)].map(([, name, kind, value, min, max]) => [
      name,
      { kind, default: value.startsWith('"') ? value.slice(1, -1) : Number(value), min: Number(min), max: Number(max) },
    ]),
  );

export function compareRoutes(document, routes) {
  const problems = [];
  const byId = new Map(routes.map((route) => [route.id, route]));
  for (const route of routes) {
    const operation = document.byId.get(route.id);
    if (!operation) {
      problems.push(`${route.id} (${route.method} ${route.path}) is in api/routes.def alone`);
      continue;
    }
    if (operation.method !== route.method || operation.path !== route.path) {
      problems.push(
        `${route.id}: ${route.method} ${route.path} in api/routes.def, ${operation.method} ${operation.path} in the document`,
      );
    }
    const documented = operation.parameters.filter((p) => p.in === 'query').map((p) => p.name);
    problems.push(...differences(`${route.id}: argument`, route.query, documented, 'api/routes.def'));
    if ((route.body !== 'BODY_NONE') !== (operation.body !== null)) {
      problems.push(`${route.id}: ${route.body} in api/routes.def, ${operation.body ? 'a' : 'no'} body in the document`);
    }
  }
  for (const { id, method, path } of document.operations) {
    if (!byId.has(id)) problems.push(`${id} (${method} ${path}) is in the document alone`);
  }
  return problems;
}

function differences(what, left, right, table) {
  return [
    ...left.filter((name) => !right.includes(name)).map((name) => `${what} '${name}' is in ${table} alone`),
    ...right.filter((name) => !left.includes(name)).map((name) => `${what} '${name}' is in the document alone`),
  ];
}

// The component ServerLimits has every setting that is a number, with its bounds and its default.
export function compareSettings(document, settings) {
  const numbers = [...settings].filter(([, { kind }]) => ['NUMBER', 'BYTES', 'MILLISECONDS'].includes(kind));
  const documented = document.root.components.schemas.ServerLimits.properties;
  const problems = differences(
    'setting',
    numbers.map(([name]) => name),
    Object.keys(documented),
    'service/settings.def',
  );
  for (const [name, setting] of numbers.filter(([name]) => documented[name])) {
    for (const [key, own] of [
      ['minimum', setting.min],
      ['maximum', setting.max],
      ['default', setting.default],
    ]) {
      if (documented[name][key] !== own)
        problems.push(`setting '${name}': ${key} ${own} in service/settings.def, ${documented[name][key]} in the document`);
    }
  }
  return problems;
}

// Components that are lists of names, and the tables that the server lists under them.
const LISTS = [
  { component: 'OptimizerType', target: '/v1/optimizers', list: 'optimizers', key: 'type' },
  { component: 'VerbName', target: '/v1/verbs', list: 'verbs', key: 'name' },
];

export async function compareLists(document, client) {
  const problems = [];
  for (const { component, target, list, key } of LISTS) {
    const names = (await listed(client, target, list)).map((entry) => entry[key]);
    problems.push(...differences(`${component}: name`, names, document.root.components.schemas[component].enum, `GET ${target}`));
  }
  return [...problems, ...compareOps(document, await listed(client, '/v1/ops', 'ops'))];
}

const listed = async (client, target, list) => JSON.parse((await client.send({ method: 'GET', target })).reply)[list];

// The component Op: every op, with its tensors and attributes as fields.
function compareOps(document, ops) {
  const documented = new Map();
  for (const {
    properties: { op, args, id, ...fields },
  } of document.root.components.schemas.Op.oneOf) {
    for (const name of op.enum ?? [op.const]) documented.set(name, Object.keys(fields));
  }
  const problems = differences(
    'Op: op',
    ops.map(({ name }) => name),
    [...documented.keys()],
    'GET /v1/ops',
  );
  for (const { name, args, attributes } of ops.filter((op) => documented.has(op.name))) {
    const fields = [
      ...args,
      ...attributes.flatMap((attribute) => [attribute.name, ...(attribute.alias ? [attribute.alias] : [])]),
    ];
    problems.push(...differences(`Op: ${name}: field`, fields, documented.get(name), 'GET /v1/ops'));
  }
  return problems;
}

export const read = (file) => readFileSync(file, 'utf8');
