// Which operation a request target is for, as the server decides it: split before decoding, the verb behind the last colon.

const ONE = '([^/:?#]+)';
const REST = '([^:?#]+?(?::0)?)';

function pattern(path) {
  const source = path.replaceAll('.', '\\.').replace(/\{(\w+)\}/g, (_, name) => (name === 'name' ? REST : ONE));
  return new RegExp(`^${source}$`);
}

// A literal segment says more than a name that may hold slashes.
const weight = (path) =>
  path
    .replaceAll(/\{\w+\}/g, '')
    .split(/[/:]/)
    .filter(Boolean).length;

export class Matcher {
  constructor(operations) {
    this.paths = [...new Set(operations.map((operation) => operation.path))]
      .map((path) => ({ path, regex: pattern(path), names: [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]) }))
      .sort((a, b) => weight(b.path) - weight(a.path));
    this.operations = new Map(operations.map((operation) => [`${operation.method} ${operation.path}`, operation]));
  }

  // {operation, path, values, query} where path is null when no template fits, operation null when it has no such method.
  find(method, target) {
    const [raw, query = ''] = target.split(/\?(.*)/s);
    for (const { path, regex, names } of this.paths) {
      const found = regex.exec(raw);
      if (!found) continue;
      const values = Object.fromEntries(names.map((name, index) => [name, decoded(found[index + 1])]));
      const operation = this.operations.get(`${method === 'HEAD' ? 'GET' : method} ${path}`) ?? null;
      return { operation, path, values, query: arguments_of(query) };
    }
    return { operation: null, path: null, values: {}, query: arguments_of(query) };
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const arguments_of = (query) =>
  query
    .split('&')
    .filter(Boolean)
    .map((part) => {
      const [name, value = ''] = part.split(/=(.*)/s);
      return [decoded(name), decoded(value.replaceAll('+', ' '))];
    });
