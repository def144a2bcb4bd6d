// The few things that random requests are about, so that they meet: how they are made, and by what they are known.

const npy = (shape) => {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const padded = head.padEnd(117, ' ') + '\n';
  const count = shape.reduce((a, b) => a * b, 1);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([padded.length & 255, padded.length >> 8]),
    Buffer.from(padded, 'latin1'),
    Buffer.alloc(4 * count),
  ]);
};

const safetensors = (tensors) => {
  let at = 0;
  const header = {};
  for (const [name, shape] of Object.entries(tensors)) {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, Buffer.alloc(at)]);
};

const VARIABLES = ['w', 'w', 'w', 'w', 'layer1/b', 'layer1/b', 'n', 'u', 'gone'];
const MODELS = ['fa', 'fa', 'fa', 'fa', 'fa', 'fa', 'fa', 'fb', 'fc'];
const NAMES = {
  variables: VARIABLES,
  optimizers: ['o', 'o', 'p', 'gone'],
  moving_averages: ['e', 'e', 'gone'],
  checkpoints: ['c', 'c', 'd', 'r/s', 'gone'],
  savers: ['s', 's', 't/u', 'gone'],
  accumulators: ['a', 'a', 'gone'],
};

const ones = { op: 'ones', shape: [2, 3] };
const each = (names, bodies) => names.map((name) => [name, bodies]);

// Bodies that this pool has something for; what is random all through is refused for its shape before it does anything.
const BODIES = new Map([
  ...each(
    ['assignVariable', 'assignAddVariable', 'assignSubVariable'],
    [
      { value: ones },
      {
        value: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
      { value: [1, 2, 3, 4] },
      { value: { variable: 'w' } },
      { value: 1 },
    ],
  ),
  ['assignMovingAverageVariable', [{ value: ones, decay: 0.9 }]],
  ...each(
    ['update', 'add', 'sub', 'mul', 'div', 'min', 'max'].map((verb) => `scatter${verb[0].toUpperCase()}${verb.slice(1)}Variable`),
    [
      { indices: [0, 1], updates: ones },
      { indices: 1, updates: [1, 2, 3] },
      { indices: [3, 3], updates: [5, 6] },
    ],
  ),
  ...each(
    ['scatterNdUpdateVariable', 'scatterNdAddVariable', 'scatterNdSubVariable'],
    [
      { indices: [[0], [1]], updates: ones },
      { indices: [[1, 2]], updates: [7] },
      { indices: [[2]], updates: [7] },
    ],
  ),
  [
    'placeDevice',
    [
      { device: '/job:localhost/cpu:0' },
      { device: ['/job:ps', null, { device_type: 'GPU', device_index: 0 }], allow_soft_placement: true },
      { available: ['/job:localhost/replica:0/task:0/gpu:0'], colocated_with: ['/gpu:*'], dtype: 'float32' },
    ],
  ],
  ['gatherValue', [{ indices: [0, 1, 0] }, { indices: 1 }]],
  ['countUpToVariable', [{ limit: 3 }]],
  ['restoreModel', [{ checkpoint: { model: 'fa', name: 'c' } }, { checkpoint: { name: 'c' }, variables: ['w'] }]],
  ['restoreThroughSaver', [{ checkpoint: 'latest' }, { checkpoint: 'c' }]],
  ['restoreCheckpoint', [{}, { variables: ['w'] }, { create: true, on_missing: 'skip' }]],
  [
    'exportCheckpointFiles',
    [
      { path: 'x', format: 'safetensors', overwrite: true },
      { path: 'y/z', format: 'npz', overwrite: true },
      { path: 't', format: 'tf_v2', overwrite: true },
    ],
  ],
  [
    'importCheckpointFiles',
    [
      { name: 'd', path: 'x' },
      { name: 'r/s', path: 'y/z', overwrite: true },
      { name: 'd', path: 't', overwrite: true },
    ],
  ],
  [
    'applyGradients',
    [
      { gradients: { w: ones } },
      { gradients: { w: { indices: [1], values: [[1, 1, 1]] } }, global_step: 'n' },
      { gradients: { w: ones }, accumulate: { replicas: 2, key: 'k' } },
    ],
  ],
  ['createSlots', [{ variables: ['w'] }]],
  ['applyGradToAccumulator', [{ gradient: [1, 2] }, { gradient: [1, 2], local_step: 1 }]],
  ['takeGradFromAccumulator', [{ num_required: 1 }]],
  ['applyMovingAverages', [{ variables: ['w'] }, {}]],
  ['createAverageSlots', [{ variables: ['w'] }]],
  [
    'saveCheckpoint',
    [
      { name: 'd', variables: ['w'] },
      { name: 'r/s', variables: ['w', 'n'], global_step: 3 },
      { name: 'c', variables: ['n'], overwrite: true },
    ],
  ],
  ['saveThroughSaver', [{ name: 'd' }, { name: 'd', global_step: { variable: 'n' } }]],
  [
    'runModel',
    [
      {
        ops: [
          { op: 'assign_add', variable: 'w', value: ones },
          { op: 'count_up_to', variable: 'n', limit: 9 },
        ],
        fetches: { w: { variable: 'w' } },
      },
      { require: [{ variable: 'n', version: 1 }], ops: [{ op: 'save', name: 'd', variables: ['w'] }] },
      {
        ops: [{ op: 'apply_gradients', optimizer: 'o', gradients: { w: ones } }],
        guards: { finite: true, max_update_norm: 100 },
        dry_run: true,
      },
    ],
  ],
  [
    'putValue',
    [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [1, 2, 3, 4],
      5,
    ],
  ],
  ['putVariable', [{ dtype: 'float32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }, 5]],
  [
    'createVariables',
    [{ name: 'gone', initial_value: ones }, [{ initial_value: 1 }, { name: 'gone', dtype: 'int32', shape: [2] }]],
  ],
]);

export const pool = {
  // Not for random requests: the copy of the whole store, and what waits for others.
  left: new Set(),
  headersLeft: new Set([
    'authorization',
    'content-type',
    'content-encoding',
    'content-length',
    'host',
    'accept',
    'accept-encoding',
  ]),
  inPath(operation, name) {
    if (name === 'model') return MODELS;
    const kind = /\{model\}\/(\w+)\/\{name\}/.exec(operation.path)?.[1];
    return name === 'name' ? (NAMES[kind] ?? VARIABLES) : ['k', 'k', 'gone'];
  },
  arguments: new Map(
    Object.entries({
      'if-match': ['*', '"1"', '"x", "y"'],
      'if-none-match': ['*', '"1"'],
      prefer: ['wait=0', 'durability=commit', 'return=minimal', 'respond-async'],
      'idempotency-key': ['k1', 'k2', 'k3'],
      wait: ['0'],
      tensor: ['w', 'layer1/b', 'gone'],
      names: ['w', 'w,n', 'gone'],
      prefix: ['', 'w', 'layer1/'],
      slice: ['0', '0:1', '...', ':,1', '::-1', '5'],
      against: ['c', 'current', 'gone'],
      saver: ['s', 'gone'],
      feed: ['normal', 'normal', 'eventsource'],
      since: ['0', '1'],
      heartbeat: ['1'],
      range: ['bytes=0-3', 'bytes=-4', 'bytes=9-'],
    }),
  ),
  // Nobody waits here for what does not come.
  argumentsOnly: new Set(['wait', 'heartbeat']),
  // Fields of bodies (".name") and components, by the names that mean something.
  names: new Map(
    Object.entries({
      VariableRef: VARIABLES,
      ModelName: ['fa', 'fb'],
      Name: ['w', 'layer1/b', 'c', 'd', 'o', 'e', 's', 'a', 'gone'],
      '.variable': VARIABLES,
      '.optimizer': NAMES.optimizers,
      '.saver': NAMES.savers,
      '.accumulator': NAMES.accumulators,
      '.dtype': ['float32', 'int32', 'float64'],
    }),
  ),
  bodies: BODIES,
  files: new Map([
    ['application/x-npy', [npy([2, 3]), npy([4])]],
    ['application/octet-stream', [Buffer.alloc(24), safetensors({ w: [2, 3] })]],
    ['application/vnd.safetensors', [safetensors({ w: [2, 3] }), safetensors({ gone: [1], w: [2, 3] })]],
  ]),
};

const json = (method, target, value) => ({
  method,
  target,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

// The state that every sequence starts from.
export const START = [
  ...['fa', 'fb', 'fc'].map((model) => ({ method: 'DELETE', target: `/v1/models/${model}` })),
  json('PUT', '/v1/models/fb', {}),
  json('PUT', '/v1/models/fa', { seed: 7 }),
  json('POST', '/v1/models/fa/variables', [
    { name: 'w', initial_value: { op: 'ones', shape: [2, 3] } },
    { name: 'layer1/b', initial_value: [1, 2, 3, 4] },
    { name: 'n', initial_value: 0, trainable: false },
  ]),
  json('POST', '/v1/models/fa:initialize', {}),
  json('POST', '/v1/models/fa/variables', { name: 'u', initial_value: { op: 'zeros', shape: [2] } }),
  json('PUT', '/v1/models/fa/optimizers/o', { type: 'momentum', learning_rate: 0.1, momentum: 0.9 }),
  json('PUT', '/v1/models/fa/moving_averages/e', { decay: 0.9 }),
  json('PUT', '/v1/models/fa/savers/s', { variables: ['w', 'n'] }),
  json('PUT', '/v1/models/fa/accumulators/a', { dtype: 'float32', shape: [2] }),
  json('POST', '/v1/models/fa/optimizers/o:apply_gradients', { gradients: { w: ones }, accumulate: { replicas: 2, key: 'k' } }),
  json('POST', '/v1/models/fa/accumulators/a:apply_grad', { gradient: [1, 2] }),
  json('POST', '/v1/models/fa/checkpoints', { name: 'c', variables: ['w', 'layer1/b', 'n'] }),
];
