// Tensorkeep from JavaScript, in a browser and in node (18 or later), without anything else.
//
//     node tensorkeep.mjs http://127.0.0.1:7840 example
//
// In a page: import { Tensorkeep } from "./tensorkeep.mjs". From another origin, start the server with --cors-origins.

export class Refused extends Error {
  constructor(status, problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.status = status;
    this.problem = problem;
  }
}

// Little-endian, as these arrays are on every machine that has a browser.
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};

// "layer/weights" keeps its slash; whatever else a name must not say in a URL is escaped.
const escaped = (name) => name.split("/").map(encodeURIComponent).join("/");

export class Tensorkeep {
  constructor(url, token) {
    this.base = `${url}/v1`;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  async send(method, path, { json, body, headers = {}, signal } = {}) {
    if (json !== undefined) {
      body = JSON.stringify(json);
      headers = { "Content-Type": "application/json", ...headers };
    }
    const reply = await fetch(this.base + path, { method, body, headers: { ...this.headers, ...headers }, signal });
    if (!reply.ok) throw new Refused(reply.status, await reply.json());
    return reply;
  }

  async call(method, path, json, headers) {
    return (await this.send(method, path, { json, headers })).json();
  }

  // { data: a typed array, shape, dtype, etag }
  async value(model, variable) {
    const reply = await this.send("GET", `/models/${model}/variables/${escaped(variable)}:value`, {
      headers: { Accept: "application/octet-stream" },
    });
    const dtype = reply.headers.get("Tensor-Dtype");
    const shape = (reply.headers.get("Tensor-Shape") || "").split(",").filter(Boolean).map(Number);
    return { data: new ARRAYS[dtype](await reply.arrayBuffer()), shape, dtype, etag: reply.headers.get("ETag") };
  }

  // What happens to a model after a revision, as it happens: for await (const { event, name, revision } of …). By fetch and not
  // by EventSource, which cannot send a token. { event: "gap" }: look at everything again.
  async *changes(model, since) {
    const stop = new AbortController();
    const reply = await this.send("GET", `/models/${model}/changes?feed=eventsource&since=${since}`, {
      headers: { Accept: "text/event-stream" }, signal: stop.signal,
    });
    const reader = reply.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        text += decoder.decode(value, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const lines = block.split("\n");
          const all = (field) => lines.filter((l) => l.startsWith(`${field}: `)).map((l) => l.slice(field.length + 2));
          const [type] = all("event");
          if (type === "gap") yield { event: "gap", ...JSON.parse(all("data").join("\n")) };
          if (type === "changes") yield* JSON.parse(all("data").join("\n")).changes;
        }
      }
    } finally {
      stop.abort();
    }
  }
}

// The names in a safetensors file: 8 bytes of length, a JSON header, the data.
export function tensorNames(file) {
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
  return Object.keys(header).filter((name) => name !== "__metadata__").sort();
}

async function main(url, model, token) {
  const client = new Tensorkeep(url, token);

  await client.call("PUT", `/models/${model}`, { seed: 7 });
  await client.call("POST", `/models/${model}/variables`, [
    { name: "layer/weights", initial_value: { op: "ones", shape: [2, 3] } },
    { name: "global_step", dtype: "int64", initial_value: 0, trainable: false },
  ]);
  const ready = await client.call("POST", `/models/${model}:initialize`);
  console.log("initialized:", ...ready.initialized.sort());

  await client.call("PUT", `/models/${model}/optimizers/sgd`, { type: "gradient_descent", learning_rate: 0.5 });
  const step = await client.call(
    "POST", `/models/${model}/optimizers/sgd:apply_gradients`,
    { gradients: { "layer/weights": [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]] }, global_step: "global_step" },
    { "Idempotency-Key": `step-${Date.now()}-${Math.random()}` });
  const weights = await client.value(model, "layer/weights");
  console.log(`step ${step.global_step}:`, [...weights.data].join(" "));

  const saved = await client.call("POST", `/models/${model}/checkpoints`,
    { name: "model.ckpt", global_step: { variable: "global_step" } });
  const file = await client.send("GET", `/models/${model}/checkpoints/${escaped(saved.name)}:export?format=safetensors`);
  console.log(`saved ${saved.name}:`, ...tensorNames(await file.arrayBuffer()));

  const seen = [];
  for await (const { event, name } of client.changes(model, ready.revision)) {
    if (/^(variable|checkpoint)\./.test(event)) seen.push(`${event} ${name}`);
    if (event === "checkpoint.saved") break;
  }
  console.log("changes:", seen.sort().join(", "));

  try {
    await client.call("POST", `/models/${model}/variables/layer/weights:assign_add`, { value: [1, 2] });
  } catch (no) {
    if (!(no instanceof Refused)) throw no;
    console.log("refused:", no.problem.code);
  }
  await client.call("DELETE", `/models/${model}`);
}

// As a program, not where it is imported.
if (typeof process !== "undefined" && process.argv[1] && import.meta.url.endsWith(process.argv[1].split("/").pop())) {
  await main(process.argv[2], process.argv[3], process.env.TENSORKEEP_TOKEN);
}
