// Requests that nearly fit: one thing of a valid one is changed, or its bytes are broken.

import fc from 'fast-check';

export const HOSTILE = [
  '',
  ' ',
  '.',
  '..',
  '../x',
  'a//b',
  '/a',
  'a/',
  'a b',
  'a%2Fb',
  'a\u0000b',
  'a\r\nX-Injected: 1',
  '\u202e',
  'é',
  '𝕏',
  'a:b',
  ':assign',
  '%',
  '%zz',
  'null',
  '__proto__',
  'constructor',
  'a'.repeat(256),
  'a'.repeat(3000),
  '-1',
  '1e999',
  '0x10',
  'NaN',
  '<script>',
  '{{7*7}}',
  '${HOME}',
  "'; --",
  '☃'.repeat(90),
];

const OTHER = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  1e308,
  2 ** 53,
  '',
  'x',
  '18446744073709551616',
  [],
  [[]],
  [null],
  {},
  { op: 'zeros' },
  ...HOSTILE,
];

const other = fc.constantFrom(...OTHER);

// One place of a JSON value becomes something else, goes away, is there twice as an item, or gets company.
export function changedValue(value) {
  return fc
    .tuple(fc.nat(1000), fc.constantFrom('replace', 'remove', 'unknown', 'repeat', 'wrap'), other)
    .map(([where, how, replacement]) => {
      const places = placesOf(value);
      const [path, node] = places[where % places.length];
      return changedAt(value, path, (old) => changed(old, how, replacement, node));
    });
}

const GONE = Symbol('gone');

function changed(old, how, replacement) {
  if (how === 'remove') return GONE;
  if (how === 'wrap') return [old];
  if (how === 'unknown' && isObject(old)) return { ...old, no_such_field: replacement };
  if (how === 'repeat' && Array.isArray(old)) return [...old, ...old];
  return replacement;
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function placesOf(value, path = []) {
  const here = [[path, value]];
  if (value === null || typeof value !== 'object') return here;
  return here.concat(...Object.keys(value).map((key) => placesOf(value[key], [...path, key])));
}

function changedAt(value, [key, ...rest], change) {
  if (key === undefined) {
    const made = change(value);
    return made === GONE ? {} : made;
  }
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const made = rest.length ? changedAt(value[key], rest, change) : change(value[key]);
  if (made !== GONE) copy[key] = made;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy;
}

// Text that is no JSON, or JSON of a kind that no schema can speak of.
export function brokenText(textOfValue) {
  return fc
    .constantFrom(
      (text) => text.slice(0, Math.floor(text.length / 2)),
      (text) => `${text}]`,
      (text) => `\ufeff${text}`,
      (text) => text.replaceAll('"', "'"),
      (text) => text.replace('{', '{"a": 1, "a": 1, '),
      (text) => text.replace('}', ',}'),
      () => '',
      () => '[',
      () => 'NaN',
      () => '"\\ud800"',
      () => '['.repeat(2000),
      () => '{"a":'.repeat(600),
      (text) => text.replace(/\d/, '01'),
      (text) => text.replace(/"[^"]*"/, '"\\u0000"'),
      () => '1e99999',
    )
    .map((broken) => broken(textOfValue));
}
