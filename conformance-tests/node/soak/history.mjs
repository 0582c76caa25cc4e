// What all clients sent and heard, and the rules that it must obey: nothing acknowledged is lost, nothing comes twice
// or out of its sender's order, nobody hears a room that it never joined. A session lives from a connection through
// every recovery of it: one that is recovered has missed nothing.

import { ALL } from "./actor.mjs";

export class History {
  /** What broke a rule. */
  wrong = [];
  /** How often what was done. */
  counts = new Map();
  /** By client: the session that it has. */
  #living = new Map();
  #ended = [];
  /** By client and epoch: what was sent, by its number less one. */
  #sent = new Map();

  /** Takes what an actor says. */
  record({ kind, who, ...more }) {
    this[`_${kind}`](who, more);
  }

  /** The client is gone for good. */
  over(who) {
    this._over(who);
  }

  count(what) {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** What was acknowledged and should have been heard by now, and was not. */
  lost() {
    const lost = [];
    for (const session of this.#ended) {
      // Whoever is gone has missed nothing before the last that it heard.
      for (const [key, heard] of session.heard) {
        this.#missing(session, key, heard, heard.at(-1), lost);
      }
    }
    for (const session of this.#living.values()) {
      for (const key of this.#sent.keys()) {
        this.#missing(session, key, session.heard.get(key) ?? [], Infinity, lost);
      }
    }
    return lost;
  }

  #missing(session, key, heard, before, lost) {
    let next = 0;
    for (const { number, room, at, isAcked } of this.#sent.get(key) ?? []) {
      if (number >= before) {
        return;
      }
      while (heard[next] < number) {
        next += 1;
      }
      const isMeant = at > session.rooms.get(room) && (room === ALL || !key.startsWith(`${session.who}/`));
      if (isAcked && isMeant && heard[next] !== number) {
        lost.push(`${session.who} missed ${number} of ${key} in room ${room}${session.wasRecovered ? ", recovered" : ""}`);
      }
    }
  }

  _connected(who, { recovered, at }) {
    this.count(recovered ? "recovered" : "connected anew");
    const session = this.#living.get(who);
    if (recovered && session) {
      session.wasRecovered = true;
      return;
    }
    if (recovered) {
      this.wrong.push(`${who} is recovered, but had no session`);
    }
    this._over(who);
    // A room that was asked for may be heard; from when it must be is known once the join is acknowledged.
    this.#living.set(who, { who, rooms: new Map([[ALL, at]]), heard: new Map(), wasRecovered: false });
  }

  _over(who) {
    const session = this.#living.get(who);
    if (session) {
      this.#ended.push(session);
      this.#living.delete(who);
    }
  }

  _joining(who, { room }) {
    const rooms = this.#living.get(who)?.rooms;
    if (rooms && !rooms.has(room)) {
      rooms.set(room, Infinity);
    }
  }

  _joined(who, { room, at }) {
    const rooms = this.#living.get(who)?.rooms;
    if (rooms?.get(room) === Infinity) {
      rooms.set(room, at);
    }
  }

  _sent(who, { epoch, number, room, at }) {
    const key = `${who}/${epoch}`;
    if (!this.#sent.has(key)) {
      this.#sent.set(key, []);
    }
    this.#sent.get(key).push({ number, room, at, isAcked: false });
  }

  _acked(who, { epoch, number }) {
    this.#sent.get(`${who}/${epoch}`)[number - 1].isAcked = true;
  }

  _heard(who, { from, epoch, number, room }) {
    this.count("heard");
    const key = `${from}/${epoch}`;
    const session = this.#living.get(who);
    if (!session?.rooms.has(room)) {
      this.wrong.push(`${who} heard ${number} of ${key} in room ${room}, which it never joined`);
      return;
    }
    const heard = session.heard.get(key) ?? [];
    session.heard.set(key, heard);
    if (heard.at(-1) >= number) {
      this.wrong.push(`${who} heard ${number} of ${key} after ${heard.at(-1)}`);
      return;
    }
    heard.push(number);
  }

  _count(_who, { what }) {
    this.count(what);
  }

  _wrong(who, { what }) {
    this.wrong.push(`${who}: ${what}`);
  }
}
