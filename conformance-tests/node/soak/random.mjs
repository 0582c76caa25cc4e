// Chance that a seed repeats.

/** Numbers below one, the same for the same seed. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** At least `low`, below `high`. */
  between(low, high) {
    return low + this.next() * (high - low);
  }

  /** A whole number below `bound`. */
  below(bound) {
    return Math.floor(this.next() * bound);
  }

  of(list) {
    return list[this.below(list.length)];
  }

  /** The key of one of `weights`, as often as its weight says. */
  weighed(weights) {
    const sum = Object.values(weights).reduce((a, b) => a + b);
    let rest = this.next() * sum;
    return Object.keys(weights).find((key) => (rest -= weights[key]) < 0);
  }
}
