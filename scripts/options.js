'use strict';

/**
 * Writes what is made from the tables of options (lib/options/table.js): the reference page and the test of the types.
 * `__test__/options-reference.test.js` fails where one of them is out of date.
 *
 *     npm run options
 */

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { BROKER, REDIS, REDIS_TLS, CREATE, GET, ASK, DESTROY, LIST, REGISTER, ROUTER } = require('../lib/options/table');

const ROOT = join(__dirname, '..');
const PAGE = 'docs/reference/options.md';
const TYPES = '__test__/types/options.ts';

const SECTIONS = [
  ['new Broker(id, option)', 'BrokerOptions', BROKER, 'Every option may be absent. Milliseconds go up to 2 147 483 647 (24.8 days), except `ttl`.'],
  ['option.redis', 'RedisOptions', REDIS, '`option.redis` may be a URL or an object with these fields. `null` means the same as an absent field. An unknown field is an error, because the broker would connect to the wrong server.'],
  ['option.redis.tls', 'RedisTlsOptions', REDIS_TLS, 'As for `tls.connect()` of Node.js, in PEM: strings, Buffers or arrays of them.'],
  ['createWorker(name, option)', 'CreateOptions', CREATE, ''],
  ['get(name, key, option)', 'GetOptions', GET, ''],
  ['agent.ask(method, data, option)', 'AskOptions', ASK, ''],
  ['broker.destroy(option) and worker.destroy(option)', 'DestroyOptions', DESTROY, ''],
  ['broker.listWorkers(option)', 'ListOptions', LIST, 'Which workers are listed. `null` means the same as an absent field.'],
  ['registerWorker(name, ctor, option)', 'RegisterOptions', REGISTER, ''],
  ['new Router(option)', 'RouterOptions', ROUTER, ''],
];

/** Every option with its full name, groups opened. */
function flat(table, prefix = '') {
  return Object.entries(table).flatMap(([key, option]) => (option.group ? flat(option.group, `${prefix}${key}.`) : [[prefix + key, option]]));
}

function page() {
  const sections = SECTIONS.map(([title, , table, text]) => {
    const rows = flat(table).map(([name, option]) => `| \`${name}\` | ${cell(option.form ?? option.check.form)} | ${shown(option)} | ${cell(option.text)} |`);
    return [`## \`${title}\``, '', ...(text ? [text, ''] : []), '| option | value | default | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
  });
  return `# Options

<!-- Made by scripts/options.js from lib/options/table.js: change it there and run "npm run options". -->

An option that is not known is ignored, with a warning that says what was probably meant (see [Warnings](events.md#warnings)). A wrong
value is an error with code \`DW_ERR_CONFIG\`.

${sections.join('\n')}`;
}

function shown(option) {
  const { shown: text = typeof option.default === 'string' ? `\`'${option.default}'\`` : `\`${option.default}\`` } = option;
  return cell(text);
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

function types() {
  const interfaces = SECTIONS.map(([, name, table]) => `interface ${name}Table ${shape(table, '')}\n\nexpectTypeOf<${name}>().toEqualTypeOf<${name}Table>();\n`);
  const names = [...SECTIONS.map(([, name]) => name), 'Address', 'LogEvent', 'Logger', 'TlsOptions', 'WorkerState'].sort();
  return `/** Made by scripts/options.js from lib/options/table.js: the options in index.d.ts are those of the tables. */

import type { KeyObject } from 'node:crypto';
import { expectTypeOf } from 'expect-type';
import type { ${names.join(', ')} } from 'dworker';

${interfaces.join('\n')}`;
}

function shape(table, indent) {
  const fields = Object.entries(table).map(([key, option]) => `${indent}  ${key}?: ${typeOf(option, `${indent}  `)};`);
  return `{\n${fields.join('\n')}\n${indent}}`;
}

function typeOf(option, indent) {
  const { type = option.check?.type } = option;
  return type ?? shape(option.group, indent);
}

const FILES = { [PAGE]: page, [TYPES]: types };

if (require.main === module) {
  for (const [file, make] of Object.entries(FILES)) writeFileSync(join(ROOT, file), make());
}

module.exports = { FILES };
