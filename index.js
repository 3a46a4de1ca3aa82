'use strict';

// One line an export: so `import { Broker } from 'dworker'` finds the names without running this file.
module.exports.Broker = require('./lib/broker').Broker;
module.exports.Worker = require('./lib/worker').Worker;
module.exports.Agent = require('./lib/agent').Agent;
module.exports.Router = require('./lib/router').Router;
