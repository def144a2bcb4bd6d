// One exchange against the document: what is wrong with the reply, and with a request that was accepted.
//
// An exchange is {method, target, headers, body, status, reply_headers, reply}: header names in lower case, body and reply
// text, or null where they were binary or long (body_bytes, reply_bytes tell how long).

import { bareType, isJson, typeFits } from './document.mjs';

// Headers of the connection, not of the reply.
const TRANSPORT = new Set(['date', 'connection', 'content-length', 'content-type', 'transfer-encoding', 'keep-alive']);

export class Checker {
  constructor(document, matcher) {
    this.document = document;
    this.matcher = matcher;
    this.general = this.headersOfEveryReply();
  }

  // The document says so at the reply that every operation may give.
  headersOfEveryReply() {
    for (const { responses } of this.document.operations) {
      if (responses.has('default')) return responses.get('default').headers;
    }
    return new Map();
  }

  // {operation, response, type, problems}
  check(exchange) {
    const { operation, path, values, query } = this.matcher.find(exchange.method, exchange.target);
    const type = bareType(exchange.reply_headers['content-type']);
    if (!operation) {
      const wrong = path === null ? this.unknown(exchange) : this.otherMethod(exchange, path);
      return { operation, response: null, type, problems: wrong ? [wrong] : [] };
    }
    const response = this.document.responseOf(operation, exchange.status);
    if (!response) return { operation, response: null, type, problems: [`status ${exchange.status} is not documented`] };
    const problems = [...this.replyBody(exchange, response, type), ...this.replyHeaders(exchange, response)];
    if (exchange.status >= 200 && exchange.status < 300) problems.push(...this.request(exchange, operation, values, query));
    return { operation, response, type, problems };
  }

  unknown({ method, status }) {
    return status < 400 && method !== 'OPTIONS' ? `answered with ${status}, but no path of the document fits` : null;
  }

  otherMethod({ method, status, reply_headers: headers }, path) {
    if (method === 'OPTIONS' || (status >= 400 && (status !== 405 || headers.allow))) return null;
    return `${path} has no ${method} in the document, and the answer is ${status}${status === 405 ? ' without Allow' : ''}`;
  }

  replyBody(exchange, response, type) {
    if (exchange.method === 'HEAD') return [];
    if (response.content.size === 0) {
      return exchange.reply_bytes > 0
        ? [`status ${exchange.status} is documented without a body, and ${exchange.reply_bytes} bytes of '${type}' came`]
        : [];
    }
    const found = [...response.content].find(([documented]) => typeFits(documented, type));
    if (!found) return [`media type '${type}' is not documented for status ${exchange.status}`];
    const [, media] = found;
    if (media.schemaAt === null || !isJson(type) || exchange.reply === null) return [];
    const value = parsed(exchange.reply);
    if (value === undefined) return ['the reply is no JSON'];
    const wrong = this.document.wrong(media.schemaAt, value);
    return wrong ? [`the body of ${exchange.status} does not fit the document: ${wrong}`] : [];
  }

  replyHeaders(exchange, response) {
    const problems = [];
    for (const [name, value] of Object.entries(exchange.reply_headers)) {
      const header = response.headers.get(name) ?? this.general.get(name);
      if (!header) {
        if (!TRANSPORT.has(name)) problems.push(`header '${name}' of status ${exchange.status} is not documented`);
        continue;
      }
      const wrong = header.node.schema && this.wrongText(header.schemaAt, value);
      if (wrong) problems.push(`header '${name}: ${value}' does not fit the document: ${wrong}`);
    }
    for (const [name, header] of response.headers) {
      if (header.required && exchange.reply_headers[name] === undefined)
        problems.push(`header '${name}' of status ${exchange.status} is missing`);
    }
    return problems;
  }

  // What the document would refuse must not have been accepted.
  request(exchange, operation, values, query) {
    const problems = [];
    for (const parameter of operation.parameters) {
      if (parameter.in === 'path')
        problems.push(
          ...this.parameter(parameter, parameter.name === 'name' ? values.name.replace(/:0$/, '') : values[parameter.name]),
        );
      if (parameter.in === 'header') problems.push(...this.parameter(parameter, exchange.headers[parameter.name.toLowerCase()]));
      if (parameter.in === 'query' && parameter.required && !query.some(([name]) => name === parameter.name))
        problems.push(`accepted without the argument '${parameter.name}'`);
    }
    for (const [name, value] of query) {
      const parameter = operation.parameters.find((p) => p.in === 'query' && p.name === name);
      problems.push(
        ...(parameter ? this.parameter(parameter, value) : [`accepted the argument '${name}', which is not documented`]),
      );
    }
    problems.push(...this.requestBody(exchange, operation));
    return problems;
  }

  parameter(parameter, text) {
    if (text === undefined) return [];
    const wrong = this.wrongText(parameter.schemaAt, text);
    return wrong
      ? [`accepted ${parameter.in} '${parameter.name}' = '${text.slice(0, 80)}', which does not fit the document: ${wrong}`]
      : [];
  }

  requestBody(exchange, operation) {
    if (!exchange.body_bytes)
      return operation.body?.required && !exchange.headers['content-type']
        ? ['accepted without a body, which the document requires']
        : [];
    if (!operation.body) return [`accepted a body of ${exchange.body_bytes} bytes where the document has none`];
    const type = sentType(exchange, operation);
    const found = [...operation.body.content].find(([documented]) => typeFits(documented, type));
    if (!found) return [`accepted a body of '${type}', which is not documented`];
    if (!isJson(type) || !found[1].schemaAt || exchange.body === null) return [];
    const value = parsed(exchange.body);
    if (value === undefined) return ['accepted a body that is no JSON'];
    const wrong = this.document.wrong(found[1].schemaAt, value);
    return wrong ? [`accepted a body that does not fit the document: ${wrong}`] : [];
  }

  // Text of a header or an argument is a number or a boolean where the schema says so.
  wrongText(schemaAt, text) {
    const first = this.document.wrong(schemaAt, text);
    if (first === null) return null;
    const others = [
      /^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : undefined,
      { true: true, false: false }[text],
      text.split(',').map((part) => part.trim()),
    ];
    return others.some((value) => value !== undefined && this.document.wrong(schemaAt, value) === null) ? null : first;
  }
}

// Without a type, or with curl's own for forms, a body is read as JSON by operations that take JSON.
function sentType(exchange, operation) {
  const type = bareType(exchange.headers['content-type']);
  const json = operation.body.content.has('application/json');
  if (json && (type === '' || type === 'application/x-www-form-urlencoded')) return 'application/json';
  return type || 'application/octet-stream';
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
