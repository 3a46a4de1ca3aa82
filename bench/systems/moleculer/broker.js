/** How Moleculer is set up: its defaults, the TCP transporter, known peers instead of UDP discovery. */
'use strict';

const { ServiceBroker } = require('moleculer');

const GOSSIP_PERIOD = 1; // s, the least it takes: how long the two wait to know each other

/** A broker on a free port; `peers` maps node ids to `host:port`. */
function createBroker(nodeID, peers = {}) {
  return new ServiceBroker({
    nodeID,
    logger: false,
    transporter: {
      type: 'TCP',
      options: { udpDiscovery: false, urls: peers, useHostname: false, gossipPeriod: GOSSIP_PERIOD },
    },
  });
}

module.exports = { createBroker };
