'use strict';

module.exports = require('../../support/wait');
