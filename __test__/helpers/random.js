'use strict';

module.exports = require('../../support/random');
