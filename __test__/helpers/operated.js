'use strict';

const path = require('node:path');
const { Child } = require('../../support/child');

const FIXTURES = path.join(__dirname, '..', 'fixtures');

/** A program of `__test__/fixtures` in a process of its own, whose operations are called. */
class OperatedProcess extends Child {
  constructor(program, name, args) {
    super(path.join(FIXTURES, program), args, { name: `The process of ${name}` });
  }
}

module.exports = { OperatedProcess };
