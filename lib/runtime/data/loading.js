/**
 * The data that a worker begins with: what is stored, migrated where its class is newer, or the first value.
 */
'use strict';

const { DataCell } = require('./cell');
const { NO_DATA } = require('./declaration');
const { checkData } = require('./frozen');
const { isThenable } = require('../../base/promises');
const { TimerTable } = require('../timers/table');

/** The event of the core says so where something was stored that is not there any more, or is no JSON. */
const MISSING = -1;

/** What is stored cannot be read. Nothing overwrites it. */
class UnreadableData extends Error {}

/**
 * What is stored of a worker.
 *
 * @param {Workers} workers
 * @param {number} handle of the worker
 * @param {?object} declaration of its class; `null`: it has no static data
 * @param {?number} [version] of the data that is stored, if any is
 * @param {*} [stored] that data
 * @param {object[]} [timers] as they are stored
 * @returns {?DataCell} `null` where nothing is stored, and no data will be
 * @throws {UnreadableData} where what is stored cannot be read or migrated; what `initial()` throws
 */
function openCell(workers, handle, declaration, version, stored, timers) {
  if (declaration === null) return openTimers(workers, handle, version, stored, timers);
  const cell = openData(workers, handle, declaration, version ?? undefined, stored);
  if (timers !== undefined) cell.timers = readTimers(cell, timers);
  cell.savedTimers = cell.timersToStore();
  return cell;
}

/** Timers of a worker whose class has no static data. Data that an earlier version of the class stored stays as it is. */
function openTimers(workers, handle, version, stored, timers) {
  if (version === undefined) return null;
  if (version === MISSING) {
    workers.reports.timersLost(handle);
    return null;
  }
  const cell = new DataCell(workers, handle, NO_DATA);
  [cell.exists, cell.fresh] = [true, false];
  if (version !== null) [cell.version, cell.text] = [version, JSON.stringify(stored)];
  if (timers !== undefined) cell.timers = readTimers(cell, timers);
  return cell;
}

function readTimers(cell, timers) {
  try {
    return new TimerTable(cell).load(timers);
  } catch (error) {
    cell.close();
    throw new UnreadableData(error.message);
  }
}

function openData(workers, handle, declaration, version, stored) {
  const cell = new DataCell(workers, handle, declaration);
  if (version === undefined) {
    const value = declaration.initial();
    cell.load(settled(value, 'initial()'), { exists: false, migrated: false });
  } else {
    const migrated = version !== declaration.version;
    cell.load(migrated ? migrate(declaration, version, stored) : stored, { exists: true, migrated });
  }
  return cell;
}

function migrate({ version: wanted, migrate: convert }, version, stored) {
  if (version === MISSING) throw new UnreadableData('Something was stored, and it is missing or was written by another program');
  if (version > wanted) throw new UnreadableData(`It was written by version ${version} of the class, and this is version ${wanted}`);
  if (convert === undefined) throw new UnreadableData(`It was written by version ${version} of the class, and static data of version ${wanted} has no migrate()`);
  try {
    const value = settled(convert(stored, version), 'migrate()');
    checkData(value);
    return value;
  } catch (error) {
    throw Object.assign(new UnreadableData(`migrate() failed: ${error?.message ?? error}`), { cause: error });
  }
}

function settled(value, what) {
  if (isThenable(value)) throw new TypeError(`Expected a value from ${what} of static data, and not a promise`);
  return value;
}

module.exports.UnreadableData = UnreadableData;
module.exports.openCell = openCell;
