// The document as the tools see it: its operations, with references followed, and a validator for each schema in it.

import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

const METHODS = new Set(['get', 'put', 'post', 'patch', 'delete']);

const escaped = (part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('%', '%25');
const unescaped = (part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');

export class Document {
  constructor(root) {
    this.root = root;
    this.ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: false, verbose: false, logger: false });
    addFormats(this.ajv);
    // Numbers that JavaScript cannot hold exactly are still numbers.
    for (const format of ['uint64', 'uint32', 'uint16', 'uint8', 'int16', 'int8', 'base64']) this.ajv.addFormat(format, true);
    this.ajv.addSchema(root, 'doc');
    this.compiled = new Map();
    this.operations = [...this.findOperations()];
    this.byId = new Map(this.operations.map((operation) => [operation.id, operation]));
  }

  static load(file) {
    return new Document(parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 }));
  }

  // {node, at}: what stands behind the references of a node, and where that is.
  follow(node, at) {
    for (let hops = 0; node && typeof node.$ref === 'string'; hops++) {
      if (!node.$ref.startsWith('#/') || hops > 20) throw new Error(`${at}: reference '${node.$ref}' is not followed`);
      at = node.$ref;
      node = this.at(at);
      if (node === undefined) throw new Error(`there is no ${at}`);
    }
    return { node, at };
  }

  at(pointer) {
    return pointer
      .slice(2)
      .split('/')
      .reduce((node, part) => node?.[unescaped(part)], this.root);
  }

  *findOperations() {
    for (const [path, item] of Object.entries(this.root.paths ?? {})) {
      const itemAt = `#/paths/${escaped(path)}`;
      const shared = this.parameters(item.parameters, `${itemAt}/parameters`);
      for (const method of Object.keys(item).filter((key) => METHODS.has(key))) {
        const at = `${itemAt}/${method}`;
        const own = this.parameters(item[method].parameters, `${at}/parameters`);
        const replaced = shared.filter((old) => !own.some((p) => p.name === old.name && p.in === old.in));
        yield {
          id: item[method].operationId,
          method: method.toUpperCase(),
          path,
          at,
          node: item[method],
          parameters: [...replaced, ...own],
          body: this.requestBody(item[method].requestBody, `${at}/requestBody`),
          responses: this.responses(item[method].responses ?? {}, `${at}/responses`),
        };
      }
    }
  }

  parameters(list = [], at) {
    return list.map((entry, index) => {
      const { node, at: where } = this.follow(entry, `${at}/${index}`);
      return {
        name: node.name,
        in: node.in,
        required: node.required === true || node.in === 'path',
        node,
        at: where,
        schemaAt: `${where}/schema`,
      };
    });
  }

  requestBody(entry, at) {
    if (!entry) return null;
    const { node, at: where } = this.follow(entry, at);
    return { required: node.required === true, content: this.content(node.content, where) };
  }

  responses(entries, at) {
    const found = new Map();
    for (const [status, entry] of Object.entries(entries)) {
      const { node, at: where } = this.follow(entry, `${at}/${status}`);
      const headers = new Map();
      for (const [name, header] of Object.entries(node.headers ?? {})) {
        const followed = this.follow(header, `${where}/headers/${escaped(name)}`);
        headers.set(name.toLowerCase(), {
          required: followed.node.required === true,
          schemaAt: `${followed.at}/schema`,
          node: followed.node,
        });
      }
      found.set(status, { status, headers, content: this.content(node.content, where), node, at: where });
    }
    return found;
  }

  content(entries = {}, at) {
    const found = new Map();
    for (const [type, entry] of Object.entries(entries)) {
      const { node, at: where } = this.follow(entry, `${at}/content/${escaped(type)}`);
      found.set(type, { node, schemaAt: node.schema === undefined ? null : `${where}/schema` });
    }
    return found;
  }

  // What an operation promises for a status. `default` stands for the statuses that it lists (x-statuses): those of refusals that
  // are given whatever the operation is.
  responseOf(operation, status) {
    const own = operation.responses.get(String(status));
    if (own) return own;
    const general = operation.responses.get('default');
    return general && (general.node['x-statuses'] ?? []).includes(status) ? { ...general, status: String(status) } : null;
  }

  schema(at) {
    return this.follow(this.at(at), at).node;
  }

  // Text that says what is wrong with the value, or null.
  wrong(at, value) {
    let validate = this.compiled.get(at);
    if (!validate) {
      validate = this.ajv.compile({ $ref: `doc${at}` });
      this.compiled.set(at, validate);
    }
    if (validate(value)) return null;
    const [first] = validate.errors;
    const extra = first.params?.additionalProperty ?? first.params?.unevaluatedProperty ?? first.params?.allowedValues;
    return `${first.instancePath || 'value'} ${first.message}${extra === undefined ? '' : ` (${[extra].flat().join(', ').slice(0, 100)})`}`;
  }
}

// "application/json; charset=utf-8" is application/json.
export const bareType = (header) => (header ?? '').split(';')[0].trim().toLowerCase();

// Whether a documented media type (perhaps a range) is the one that was sent.
export const typeFits = (documented, sent) =>
  documented === sent || documented === '*/*' || (documented.endsWith('/*') && sent.startsWith(documented.slice(0, -1)));

export const isJson = (type) => /^application\/(json|[a-z.-]+\+json)$/.test(type);
