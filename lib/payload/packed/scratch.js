/**
 * The memory that payloads are written into and read from: one piece for all of them, because memory of its own for each costs more
 * than its bytes.
 */
'use strict';

const USUAL = 64 * 1024;
/** Scratch memory that a large payload needed is given back before the next one where it is longer than this. */
const KEPT = 1024 * 1024;

class Scratch {
  constructor() {
    this.bytes = null;
    this.view = null;
    this.allocate(USUAL);
  }

  allocate(size) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Begins a new payload of at least so many bytes. */
  reset(size = 0) {
    const { length } = this.bytes;
    if (size > length) this.allocate(Math.max(size, 2 * length));
    else if (length > KEPT && size <= USUAL) this.allocate(USUAL);
  }

  /** Makes room for so many bytes in all; the first `kept` ones stay. */
  grow(size, kept) {
    const { bytes } = this;
    this.allocate(Math.max(size, 2 * bytes.length));
    bytes.copy(this.bytes, 0, 0, kept);
  }
}

module.exports.Scratch = Scratch;
