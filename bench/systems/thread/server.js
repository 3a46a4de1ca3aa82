/** Threads have no server process: the client starts its own thread. */
'use strict';

const { serve } = require('../../lib/serve');

serve({ start: () => ({}), expect: () => {}, received: ({ sent, seconds }) => ({ received: sent, lost: 0, perSecond: sent / seconds }) });
