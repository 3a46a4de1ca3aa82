/** Processes for one measurement: several hosts and a client in a namespace of their own. */
'use strict';

const { launch } = require('./processes');
const { systemFile } = require('./pairs');

/** Like the pair's processes, but fresh: `{addHost(), addClient(), stop()}`; each is there when its broker has started. */
function fleet(pair, purpose, { execArgv } = {}) {
  const settings = { ...pair.settings, ns: `${pair.settings.ns}-${purpose}` };
  const processes = [];
  let hosts = 0;

  async function add(role, op, args) {
    const started = launch(systemFile(pair.kind, role), { execArgv, folder: pair.folder });
    processes.push(started);
    await started.call(op, { ...settings, ...args });
    return started;
  }

  return {
    addHost: () => add('server', 'start', { id: `host${++hosts}` }),
    addClient: () => add('client', 'connect'),
    stop: () => Promise.all(processes.map((started) => started.stop())),
  };
}

/** Runs `use(fleet)` and stops the fleet's processes, whatever happens. */
async function withFleet(pair, purpose, options, use) {
  const own = fleet(pair, purpose, options);
  try {
    return await use(own);
  } finally {
    await own.stop();
  }
}

module.exports = { withFleet };
