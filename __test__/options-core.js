/**
 * The shape of the core's configuration, read from its source, so that a field added there fails a test here.
 */
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const source = fs.readFileSync(path.join(__dirname, '..', 'src', 'base', 'config.rs'), 'utf8');
const LIMITS = { u16: 2 ** 16 - 1, u32: 2 ** 32 - 1, u64: Number.MAX_SAFE_INTEGER, usize: Number.MAX_SAFE_INTEGER };

/** struct name → { field in camel case → Rust type } */
function structs() {
  const found = {};
  for (const [, name, body] of source.matchAll(/pub struct (\w+) \{(.*?)\n\}/gs)) {
    const fields = [...body.matchAll(/^\s*pub (\w+): ([\w<>]+),/gm)];
    found[name] = Object.fromEntries(fields.map(([, field, type]) => [camelCase(field), type]));
  }
  return found;
}

/** enum name → its words, of enums that hold nothing */
function words() {
  const found = {};
  for (const [, name, body] of source.matchAll(/pub enum (\w+) \{([^{}]*?)\n\}/gs)) {
    found[name] = [...body.matchAll(/^\s*(\w+),/gm)].map(([, word]) => word[0].toLowerCase() + word.slice(1));
  }
  return found;
}

const STRUCTS = structs();
const WORDS = words();

function camelCase(name) {
  return name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
}

/** Throws unless serde reads `config` as a `BrokerConfig` with no field absent. */
function assertCoreReads(config) {
  assertType(JSON.parse(JSON.stringify(config)), 'BrokerConfig', 'config');
}

function assertType(value, type, where) {
  const inner = /^Option<(\w+)>$/.exec(type)?.[1];
  if (inner !== undefined) return value === null || assertType(value, inner, where);
  if (type === 'String') return assert.ok(typeof value === 'string' && value.isWellFormed(), where);
  if (type === 'bool') return assert.equal(typeof value, 'boolean', where);
  const item = /^Vec<(\w+)>$/.exec(type)?.[1];
  if (item !== undefined) return assert.ok(Array.isArray(value), where) ?? value.forEach((each) => assertType(each, item, where));
  if (type in LIMITS) return assert.ok(Number.isInteger(value) && value >= 0 && value <= LIMITS[type], `${where}: ${value}`);
  if (type === 'CoordinatorConfig') return assertCoordinator(value, where);
  if (type in WORDS) return assert.ok(WORDS[type].includes(value), `${where}: ${value}`);
  assert.ok(type in STRUCTS, `${where}: the type ${type} is not known to the test`);
  assert.deepEqual(Object.keys(value).sort(), Object.keys(STRUCTS[type]).sort(), where);
  for (const [field, fieldType] of Object.entries(STRUCTS[type])) assertType(value[field], fieldType, `${where}.${field}`);
}

function assertCoordinator({ kind, ...rest }, where) {
  if (kind === 'redis') return assertType(rest, 'RedisConfig', where);
  assert.equal(kind, 'memory', where);
  assert.deepEqual(Object.keys(rest), ['name'], where);
  return assertType(rest.name, 'String', `${where}.name`);
}

module.exports = { assertCoreReads };
