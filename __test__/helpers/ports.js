'use strict';

module.exports = require('../../support/ports');
