'use strict';

/** A process of the run: `target` holds the workers, `honest` calls them all the while. Driven by its parent. */

const { Broker, Worker } = require('../../..');
const { answerCalls } = require('../../../support/child');

const { id, option } = JSON.parse(process.argv[2]);
const handled = { honest: 0, hostile: 0 };

class Echo extends Worker {
  onAsk(method, data) {
    handled[method === 'honest' ? 'honest' : 'hostile'] += 1;
    return data;
  }
  onTell() {
    handled.hostile += 1;
  }
}

const broker = new Broker(id, option);
broker.registerWorker(Echo);
let logged = 0;
broker.on('log', ({ level }) => (logged += Number(level === 'warn')));

const honest = { stop: false, answered: 0, wrong: 0, failed: {}, slowest: 0 };

async function callOn(workers) {
  const agents = await Promise.all(workers.map((worker) => broker.findWorker(worker)));
  const callOne = async (agent, number) => {
    const begun = performance.now();
    try {
      const data = { number, text: 'x'.repeat(number % 100) };
      const answer = await agent.ask('honest', data);
      if (answer.number === number && answer.text === data.text) honest.answered += 1;
      else honest.wrong += 1;
    } catch ({ code }) {
      honest.failed[code] = (honest.failed[code] ?? 0) + 1;
    }
    honest.slowest = Math.max(honest.slowest, performance.now() - begun);
  };
  for (let number = 0; !honest.stop; number += 1) await Promise.all(agents.map((agent) => callOne(agent, number)));
  return honest;
}

const operations = {
  start: () => broker.start(),
  create: async (count) => Promise.all(Array.from({ length: count }, async () => (await broker.createWorker('Echo')).id)),
  callOn,
  stop: () => {
    honest.stop = true;
  },
  look: () => ({ handled, logged, rss: process.memoryUsage().rss, answered: honest.answered }),
};

process.on('disconnect', () => process.exit());
answerCalls(operations);
