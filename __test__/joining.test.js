'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { joinUnderLoad } = require('./helpers/joins');
const { startRedis } = require('../support/redis-server');

describe('brokers that join while others call', () => {
  let server;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  for (const delay of [0, 20]) {
    test(`lose no call of theirs when Redis answers ${delay} ms late`, async (t) => {
      const { answered, failed } = await joinUnderLoad(t, { server, joins: 4, delay });
      assert.deepEqual(failed, []);
      t.diagnostic(`${answered} calls answered`);
    });
  }
});
