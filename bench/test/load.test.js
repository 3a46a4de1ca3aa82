/** The loads count what happened: no more, no less. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { load } = require('../lib/load');
const { bursts } = require('../lib/burst');
const { arrived, reset, received } = require('../lib/received');

test('the load never has more calls open than it was told to, and waits for the last', async () => {
  let open = 0;
  let most = 0;
  const figures = await load(
    (done) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        done();
      });
    },
    { inFlight: 7, leadMs: 5, windowMs: 30 },
  );
  assert.strictEqual(most, 7);
  assert.strictEqual(open, 0);
  assert.strictEqual(figures.errors, 0);
  assert.ok(figures.counted > 0 && figures.counted < figures.total);
  assert.ok(figures.p50 > 0 && figures.p99 >= figures.p50);
});

test('a call that fails at once is counted as an error and does not starve the event loop', async () => {
  let turned = false;
  setImmediate(() => (turned = true));
  const figures = await load((done) => done(new Error('no')), { inFlight: 2, leadMs: 0, windowMs: 20 });
  assert.ok(turned);
  assert.strictEqual(figures.counted, 0);
  assert.strictEqual(figures.errors, figures.total);
  assert.match(figures.firstError, /no/);
});

test('refused messages are told apart from failed and from sent ones', async () => {
  let n = 0;
  const answers = [undefined, { code: 'DW_ERR_OVERLOADED' }, new Error('broken'), undefined];
  const { sent, overloaded, errors } = await bursts((done) => done(answers[n++ % 4]), { windowMs: 10 });
  assert.ok(sent > 0);
  assert.strictEqual(sent, 2 * overloaded);
  assert.strictEqual(overloaded, errors);
});

test('what did not arrive is lost, and the rate is that of the receiver', async () => {
  reset();
  for (let i = 0; i < 640; i++) arrived();
  const { received: count, lost, perSecond } = await received({ sent: 640 });
  assert.deepStrictEqual({ count, lost }, { count: 640, lost: 0 });
  assert.ok(perSecond > 640);
  assert.strictEqual((await received({ sent: 641 })).lost, 1);
});
