// Awaiting events without missing one.

const PATIENCE_MS = 30_000;

/** Everything that `emitter` emits under `name` from now on, in order, as arrays of arguments. */
export class Inbox {
  #name;
  #waiting = [];
  #queued = [];

  constructor(emitter, name) {
    this.#name = name;
    emitter.on(name, (...a) => {
      const taker = this.#waiting.shift();
      if (taker) {
        taker(a);
      } else {
        this.#queued.push(a);
      }
    });
  }

  /** The arguments of the next event. */
  next() {
    if (this.#queued.length > 0) {
      return Promise.resolve(this.#queued.shift());
    }
    return within(`\`${this.#name}\``, (resolve) => this.#waiting.push(resolve));
  }

  /** The first arguments of the next `count` events. */
  async take(count) {
    const values = [];
    while (values.length < count) {
      values.push((await this.next())[0]);
    }
    return values;
  }

  /** How many came that nobody took. */
  get size() {
    return this.#queued.length;
  }
}

/** The arguments of the next `name`. */
export function next(emitter, name) {
  return within(`\`${name}\``, (resolve) => emitter.once(name, (...a) => resolve(a)));
}

/** A promise that gives up, saying what it waited for. `start` gets both ways to settle it. */
export function within(what, start) {
  const late = new Error(`no ${what} within ${PATIENCE_MS / 1000} s`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late), PATIENCE_MS);
    // What nobody waits for any more keeps no process.
    timer.unref();
    const settled = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    start(settled(resolve), settled(reject));
  });
}
