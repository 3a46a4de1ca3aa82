/**
 * Nodes of a Redis Cluster from which the one that serves a namespace is found.
 */
'use strict';

const { host, object, orNone, port, reader } = require('./checks');
const { refusal } = require('./refusal');

const DEFAULT_PORT = 6379;
const MOST_NODES = 64;

/**
 * @param {*} given an array of `{host, port}`
 * @param {string} name the option that holds it
 * @returns {{host: string, port: number}[]}
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeNodes(given, name) {
  if (!Array.isArray(given) || given.length < 1 || given.length > MOST_NODES) {
    throw refusal(`an array of 1 to ${MOST_NODES} objects {host, port}`, name, given);
  }
  return given.map((each, index) => node(each, `${name}[${index}]`));
}

function node(given, name) {
  const read = reader(object(given, name), `${name}.`);
  return { host: read('host', undefined, host) ?? host(undefined, `${name}.host`), port: read('port', null, orNone(port)) ?? DEFAULT_PORT };
}

module.exports.normalizeNodes = normalizeNodes;
