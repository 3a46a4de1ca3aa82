/** Whether dworker can be loaded here at all. */
'use strict';

const { spawnSync } = require('node:child_process');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');

/** undefined when it loads, else the first line of the reason. Asked in a process of its own: the driver stays free of it. */
function loadError(folder = ROOT) {
  const attempt = 'try { require(process.argv[1]) } catch (error) { console.log(error.message); process.exitCode = 1 }';
  const { status, signal, stdout } = spawnSync(process.execPath, ['-e', attempt, folder], { encoding: 'utf8' });
  return status === 0 ? undefined : stdout.split('\n')[0] || `loading it ended with ${status ?? signal}`;
}

module.exports = { loadError };
