/**
 * What the application sees of the cluster: brokers, workers, one worker.
 */
'use strict';

const { badArgument, checkId, checkName, optionsObject } = require('../options/arguments');
const { LIST } = require('../options/table');
const { ELSEWHERE } = require('../options/unknown');

/** Every state of a worker, as the core names it. */
const STATES = ['placing', 'active', 'pending', 'asleep', 'quarantined'];
/** Workers on one page at most. */
const MAX_LIMIT = 10000;
/** Workers that an iterable asks for at a time. */
const PAGE = 500;

/** @returns {Promise<object[]>} */
function listBrokers(core) {
  return core.started().call((native, slot) => native.listBrokers(slot));
}

/**
 * One page.
 *
 * @returns {Promise<{workers: object[], cursor: string=}>}
 */
function listPage(core, { name, clustername, broker, state, cursor, limit = PAGE }) {
  return core.started().call((native, slot) => native.listWorkers(slot, name, clustername, broker, state, cursor, limit));
}

/** All workers, each once. Where the server returns one again, because it moves its keys meanwhile, it is left out. */
async function* listAll(core, filter) {
  const seen = new Set();
  let cursor;
  do {
    const page = await listPage(core, { ...filter, cursor });
    for (const worker of page.workers) {
      if (seen.has(worker.id)) continue;
      seen.add(worker.id);
      yield worker;
    }
    ({ cursor } = page);
  } while (cursor !== undefined);
}

/**
 * The option of `listWorkers()`, checked; what is absent is `undefined`.
 *
 * @throws {Error} with `DW_ERR_CONFIG`
 */
function readListOption(core, option) {
  const given = optionsObject('option of listWorkers()', option);
  core.reporter.checkNames('listWorkers()', LIST, given, ELSEWHERE.list);
  const read = {};
  for (const key of Object.keys(LIST)) if (given[key] !== undefined && given[key] !== null) read[key] = given[key];
  if (read.name !== undefined) checkName('option.name', read.name);
  if (read.clustername !== undefined) checkName('option.clustername', read.clustername);
  if (read.broker !== undefined) checkId('option.broker', read.broker);
  if (read.state !== undefined && !STATES.includes(read.state)) {
    throw badArgument(`one of ${STATES.map((state) => `"${state}"`).join(', ')}`, 'option.state', read.state);
  }
  if (read.limit !== undefined && !(Number.isInteger(read.limit) && read.limit >= 1 && read.limit <= MAX_LIMIT)) {
    throw badArgument(`an integer from 1 to ${MAX_LIMIT}`, 'option.limit', read.limit);
  }
  if (read.cursor !== undefined && typeof read.cursor !== 'string') throw badArgument('a string', 'option.cursor', read.cursor);
  return read;
}

/** Whether one page is wanted. */
function isPaged({ limit, cursor }) {
  return limit !== undefined || cursor !== undefined;
}

/** @returns {Promise<?object>} `null` where there is no such worker */
function inspect(core, id) {
  checkId('worker id', id);
  return core
    .started()
    .call((native, slot) => native.inspect(slot, id))
    .then((worker) => (worker === null ? null : { ...worker, attributes: JSON.parse(worker.attributes) }));
}

module.exports.inspect = inspect;
module.exports.isPaged = isPaged;
module.exports.listAll = listAll;
module.exports.listBrokers = listBrokers;
module.exports.listPage = listPage;
module.exports.readListOption = readListOption;
