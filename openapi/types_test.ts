// Compiled, not run: the types that are generated from openapi.yaml take what the document allows, and nothing else.

import type { components, operations, paths } from './openapi';

type Body<Id extends keyof operations> = operations[Id] extends { requestBody?: { content: infer Content } }
  ? Content['application/json' & keyof Content]
  : never;
type Reply<Id extends keyof operations, Status extends number> = operations[Id]['responses'] extends {
  [S in Status]: { content: infer Content };
}
  ? Content['application/json' & keyof Content]
  : never;

export const model: Body<'createModel'> = { seed: 1234, labels: { owner: 'vision' } };
export const variable: components['schemas']['VariableSpec'] = { name: 'w', dtype: 'float32', shape: [2, 3], trainable: false };
export const assigned: Body<'assignAddVariable'> = { value: { op: 'ones', shape: [2, 3] } };
export const verb: components['schemas']['VerbName'] = 'assign_add';

// @ts-expect-error: there is no such verb
export const noVerb: components['schemas']['VerbName'] = 'assign_mul';
// @ts-expect-error: a model has a seed, and that is a number
export const noModel: Body<'createModel'> = { seed: 'one' };
// @ts-expect-error: a typo
export const noField: Body<'createModel'> = { sede: 1 };
// @ts-expect-error: the value is required
export const noValue: Body<'assignAddVariable'> = {};
// @ts-expect-error: there is no such path
export type NoPath = paths['/v1/variables'];

export function whatIsThere(reply: Reply<'getVariable', 200>): string {
  return `${reply.name} ${reply.dtype} ${reply.shape?.join(',') ?? '?'} ${reply.version}`;
}
