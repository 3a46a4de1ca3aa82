'use strict';

/**
 * What a run measured, each figure against its target.
 */
class Figures {
  /** @param {number} patience what limits of time are multiplied by: 1, or more where the machine has other work */
  constructor(patience = 1) {
    this.patience = patience;
    this.list = [];
  }

  limit(limit, unit) {
    return unit === 'ms' ? limit * this.patience : limit;
  }

  add(name, value, target, ok, unit = '') {
    const shown = typeof value === 'number' ? Math.round(value * 10) / 10 : value;
    this.list.push({ name, value: shown, unit, target, ok: Boolean(ok) });
  }

  most(name, value, most, unit) {
    const limit = this.limit(most, unit);
    this.add(name, value, `≤ ${limit}`, value <= limit, unit);
  }

  least(name, value, limit, unit) {
    this.add(name, value, `≥ ${limit}`, value >= limit, unit);
  }

  between(name, value, low, highest, unit) {
    const high = this.limit(highest, unit);
    this.add(name, value, `${low}–${high}`, value >= low && value <= high, unit);
  }

  equal(name, value, wanted, unit) {
    this.add(name, value, `${wanted}`, value === wanted, unit);
  }

  /** Told, not judged. */
  note(name, value, unit) {
    this.add(name, value, undefined, true, unit);
  }

  get passed() {
    return this.list.every(({ ok }) => ok);
  }

  toString() {
    return this.list.map(({ name, value, unit, target, ok }) => {
      const shown = `${name} ${value}${unit ? ` ${unit}` : ''}`;
      return target === undefined ? shown : `${ok ? '' : '✗ '}${shown} (${target})`;
    }).join(', ');
  }
}

module.exports = { Figures };
