// Values that fit a schema of the document, as fast-check arbitraries; small ones mostly, and the bounds themselves now and then.

import fc from 'fast-check';

const DEPTH_MAX = 4;
const TEXT_MAX = 24;
const ITEMS_MAX = 4;

const COMBINED = ['oneOf', 'anyOf'];

// Made when the first value is asked for: schemas refer to themselves.
class Lazy extends fc.Arbitrary {
  constructor(build) {
    super();
    this.build = build;
    this.built = null;
  }

  get inner() {
    return (this.built ??= this.build());
  }

  generate(random, bias) {
    return this.inner.generate(random, bias);
  }

  canShrinkWithoutContext(value) {
    return this.inner.canShrinkWithoutContext(value);
  }

  shrink(value, context) {
    return this.inner.shrink(value, context);
  }
}

export class Values {
  // `names`: for the schemas of these components (or fields of these names) the values that something is known by.
  constructor(document, names) {
    this.document = document;
    this.names = names;
    this.made = new Map();
  }

  // Of the schema at this pointer.
  at(pointer, depth = 0) {
    const key = `${Math.min(depth, DEPTH_MAX + 2)} ${pointer}`;
    if (!this.made.has(key)) this.made.set(key, new Lazy(() => this.make(this.document.at(pointer), depth, pointer)));
    return this.made.get(key);
  }

  make(schema, depth, pointer = '') {
    if (schema === true || schema === undefined) return fc.constantFrom(null, true, 1, 'text', [], {});
    if (schema === false) return fc.constant(undefined);
    if (schema.$ref) return this.reference(schema.$ref, depth);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    const key = COMBINED.find((name) => schema[name]);
    if (key) return this.oneOf(schema, key, depth);
    if (schema.allOf) return this.allOf(schema, depth);
    const types = [schema.type ?? guessed(schema)].flat();
    return fc.oneof(...types.map((type) => this.ofType(type, schema, depth, pointer)));
  }

  reference(pointer, depth) {
    const name = pointer.split('/').pop();
    const built = this.at(pointer, depth + 1);
    const known = pointer.startsWith('#/components/schemas/') && this.names.get(name);
    return known ? fc.oneof({ arbitrary: fc.constantFrom(...known), weight: 5 }, { arbitrary: built, weight: 1 }) : built;
  }

  // The leaves of what may be nested without end go first; deep down there is nothing else.
  oneOf(schema, key, depth) {
    const rest = { ...schema, [key]: undefined };
    const plain = Object.keys(rest).every(
      (name) =>
        rest[name] === undefined ||
        ['description', 'title', 'discriminator', 'examples', 'default', 'example'].includes(name) ||
        name.startsWith('x-'),
    );
    const choices = schema[key].map((branch) => (plain ? branch : merged(this.resolved(rest), this.resolved(branch))));
    const leaves = choices.filter((branch) => !this.nests(branch));
    const chosen = depth >= DEPTH_MAX && leaves.length ? leaves : choices;
    return fc.oneof(
      ...chosen.map((branch) => ({
        arbitrary: this.lazily(() => this.make(branch, depth + 1)),
        weight: this.nests(branch) ? 1 : 2,
      })),
    );
  }

  allOf(schema, depth) {
    const parts = schema.allOf.map((part) => this.resolved(part));
    return this.make(parts.reduce(merged, { ...schema, allOf: undefined }), depth);
  }

  lazily(build) {
    return new Lazy(build);
  }

  resolved(schema) {
    return schema.$ref ? this.resolved({ ...this.document.at(schema.$ref), ...schema, $ref: undefined }) : schema;
  }

  nests(schema) {
    return (
      JSON.stringify(schema).includes('$ref') &&
      !/"type":"(string|integer|number|boolean)"/.test(JSON.stringify(this.resolved(schema)).slice(0, 40))
    );
  }

  ofType(type, schema, depth, pointer) {
    switch (type) {
      case 'null':
        return fc.constant(null);
      case 'boolean':
        return fc.boolean();
      case 'integer':
        return integer(schema);
      case 'number':
        return number(schema);
      case 'string':
        return text(schema);
      case 'array':
        return this.array(schema, depth);
      case 'object':
        return this.object(schema, depth);
      default:
        throw new Error(`${pointer}: type '${type}' is not known`);
    }
  }

  array(schema, depth) {
    const least = schema.minItems ?? 0;
    const most = Math.max(least, Math.min(schema.maxItems ?? ITEMS_MAX, depth > DEPTH_MAX ? least : ITEMS_MAX));
    const prefix = (schema.prefixItems ?? []).map((item) => this.make(item, depth + 1));
    if (prefix.length) return fc.tuple(...prefix);
    const items = this.lazily(() => this.make(schema.items ?? true, depth + 1));
    const options = { minLength: least, maxLength: most, size: 'max' };
    if (schema.uniqueItems)
      return fc.uniqueArray(items, { ...options, comparator: (a, b) => JSON.stringify(a) === JSON.stringify(b) });
    return fc.array(items, options);
  }

  object(schema, depth) {
    const required = schema.required ?? [];
    const fields = Object.entries(schema.properties ?? {}).filter(([name]) => depth <= DEPTH_MAX || required.includes(name));
    const record = fc.record(Object.fromEntries(fields.map(([name, value]) => [name, this.field(name, value, depth)])), {
      requiredKeys: required.filter((name) => schema.properties?.[name] !== undefined),
    });
    // Few fields at a time: most of what has all of them is refused for one of them.
    const sparse = fc
      .tuple(record, fc.integer({ min: 0, max: 2 ** 30 - 1 }))
      .map(([value, mask]) => thinned(value, required, mask, schema.minProperties ?? 0));
    const more = schema.additionalProperties;
    if (!more || typeof more !== 'object') return sparse;
    const key = schema.propertyNames
      ? this.lazily(() => this.make(schema.propertyNames, depth + 1))
      : fc.stringMatching(/^[a-z]{1,8}$/);
    const least = fields.length ? 0 : (schema.minProperties ?? 0);
    const others = fc.dictionary(
      key,
      this.lazily(() => this.make(more, depth + 1)),
      { minKeys: least, maxKeys: Math.max(least, depth > DEPTH_MAX ? 0 : 3), noNullPrototype: true },
    );
    return fc.tuple(sparse, others).map(([own, other]) => ({ ...other, ...own }));
  }

  field(name, schema, depth) {
    const known = this.names.get(`.${name}`);
    const built = this.lazily(() => this.make(schema, depth + 1));
    return known ? fc.oneof({ arbitrary: fc.constantFrom(...known), weight: 3 }, { arbitrary: built, weight: 1 }) : built;
  }
}

function thinned(value, required, mask, least) {
  const names = Object.keys(value);
  const kept = names.filter(
    (name, index) => required.includes(name) || (mask >> (index % 30)) & (mask >> 29 ? 1 : (mask >> ((index + 7) % 30)) & 1),
  );
  return Object.fromEntries((kept.length < least ? names : kept).map((name) => [name, value[name]]));
}

function merged(left, right) {
  const both = { ...left, ...right };
  if (left.properties && right.properties) both.properties = { ...left.properties, ...right.properties };
  if (left.required && right.required) both.required = [...new Set([...left.required, ...right.required])];
  for (const key of [...COMBINED, 'allOf']) if (both[key] === undefined) delete both[key];
  return both;
}

function guessed(schema) {
  if (schema.properties || schema.additionalProperties || schema.required) return 'object';
  if (schema.items || schema.prefixItems) return 'array';
  if (schema.pattern || schema.maxLength) return 'string';
  return ['null', 'boolean', 'integer', 'string'];
}

function bounds(schema, small) {
  const low = schema.minimum ?? (schema.exclusiveMinimum !== undefined ? schema.exclusiveMinimum : -small);
  const high = schema.maximum ?? (schema.exclusiveMaximum !== undefined ? schema.exclusiveMaximum : small);
  return [low, high];
}

function integer(schema) {
  let [low, high] = bounds(schema, 2 ** 31);
  if (schema.exclusiveMinimum === low) low++;
  if (schema.exclusiveMaximum === high) high--;
  low = Math.max(low, Number.MIN_SAFE_INTEGER);
  high = Math.min(high, Number.MAX_SAFE_INTEGER);
  const near = fc.integer({ min: Math.max(low, -3), max: Math.max(Math.max(low, -3), Math.min(high, 8)) });
  const step = schema.multipleOf;
  const any = fc.oneof(
    { arbitrary: near, weight: 6 },
    { arbitrary: fc.integer({ min: low, max: high }), weight: 1 },
    { arbitrary: fc.constantFrom(low, high), weight: 1 },
  );
  return step ? any.map((value) => Math.max(low, Math.floor(value / step) * step)) : any;
}

function number(schema) {
  const [low, high] = bounds(schema, 1e6);
  const open = { minExcluded: schema.exclusiveMinimum !== undefined, maxExcluded: schema.exclusiveMaximum !== undefined };
  const usual = [0.5, 1, 0.125, 2, 0, -1].filter(
    (value) => value >= low && value <= high && !(open.minExcluded && value === low) && !(open.maxExcluded && value === high),
  );
  const any = fc.double({ min: low, max: high, noNaN: true, noDefaultInfinity: true, ...open });
  return usual.length ? fc.oneof({ arbitrary: fc.constantFrom(...usual), weight: 5 }, { arbitrary: any, weight: 1 }) : any;
}

function text(schema) {
  const least = schema.minLength ?? 0;
  const most = schema.maxLength ?? TEXT_MAX;
  if (schema.format === 'date-time')
    return fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString());
  if (schema.pattern) {
    // Cut rather than drawn again: a pattern may make nothing that is short enough, and the judge knows what fits.
    return fc
      .stringMatching(new RegExp(schema.pattern, 'u'), { size: 'small' })
      .map((value) => [...value].slice(0, schema.maxLength).join(''));
  }
  const ascii = fc.string({ minLength: least, maxLength: Math.max(least, Math.min(most, TEXT_MAX)), size: 'max' });
  const wide = fc.string({ unit: 'binary', minLength: least, maxLength: Math.max(least, Math.min(most, TEXT_MAX)) });
  return fc.oneof({ arbitrary: ascii, weight: 4 }, { arbitrary: wide, weight: 1 });
}
