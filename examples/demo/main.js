'use strict';

/** The demo: what dworker is for, shown to a person in a terminal. Run it with `npm run demo`. */

const { randomBytes } = require('node:crypto');
const { constants: { signals } } = require('node:os');
const { chooseCoordinator } = require('./coordinator');
const { tell } = require('./story');
const { LocalMember, ProcessMember } = require('./team');
const { line, title } = require('./screen');

const NAMES = ['alpha', 'beta', 'gamma'];
/** Everything must be over by then, clean-up included. */
const DEADLINE_MS = 55000;

let coordinator = null;
let team = [];
let cleaning = null;

/** Ends what the demo started, once, whatever happened. */
function cleanUp() {
  cleaning = cleaning || (async () => {
    for (const member of team) member.abandon();
    await coordinator?.remove().catch((error) => console.error(`The demo's keys are still there: ${error.message}`));
  })();
  return cleaning;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, async () => {
    console.error(`\n${signal}: ending what the demo started.`);
    await cleanUp();
    process.exit(128 + signals[signal]);
  });
}

async function main() {
  const ns = `dw-demo-${randomBytes(4).toString('hex')}`;
  title('dworker: workers with an id that live in exactly one process of a cluster');
  coordinator = await chooseCoordinator(ns);
  line(`The cluster's state: ${coordinator.text}.`);
  const Kind = coordinator.embedded ? LocalMember : ProcessMember;
  team = NAMES.map((name) => new Kind(name, { ns, redis: coordinator.url }));
  await tell(team, coordinator.embedded);
}

const deadline = setTimeout(() => finish(new Error(`not done within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);

async function finish(error) {
  clearTimeout(deadline);
  if (error) console.error(`\nThe demo failed: ${error.stack}`);
  await cleanUp();
  process.exitCode = error ? 1 : 0;
  // What still held the process now would be a defect of the demo: it must end by itself after success.
  if (error) process.exit();
}

main().then(() => finish(), finish);
