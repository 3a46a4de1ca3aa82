'use strict';

module.exports = { ...require('../../support/ports'), ...require('../../support/redis-server') };
