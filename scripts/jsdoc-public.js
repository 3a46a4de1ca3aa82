'use strict';

/** A plugin of JSDoc: only the public classes and their members are shown. */

const PUBLIC = ['Broker', 'Worker', 'Agent', 'Router'];

/** `Worker#onAsk` and `Worker.State` belong to `Worker`; what is inside of a function (`~`) belongs to nobody else. */
function isPublic(longname) {
  return PUBLIC.includes(longname.split(/[.#~]/)[0]) && !longname.includes('~');
}

exports.handlers = {
  newDoclet({ doclet }) {
    if (doclet.kind !== 'package' && doclet.longname && !isPublic(doclet.longname)) doclet.access = 'private';
  },
};
