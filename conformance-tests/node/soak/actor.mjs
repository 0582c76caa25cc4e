// One official client that talks without a pause, and judges what concerns it alone: acks, echoes, bursts, answers.
// What several clients must agree on it tells `record`, for the history to judge.

import { isDeepStrictEqual } from "node:util";
import { io } from "socket.io-client";
import { Random } from "./random.mjs";

/** Rooms that clients join. Everyone is in `ALL`. */
const ROOMS = ["a", "b", "c", "d"];
export const ALL = "*";

/** Milliseconds between two things that a client does. */
const PACE = [30, 170];

/** How many events a burst has. */
const BURST = 20;

/** The largest binary message. */
const MAX_BYTES = 20_000;

/** What a client does next, by how often. */
const ACTIONS = {
  roomcast: 30,
  broadcast: 8,
  echo: 20,
  binary: 15,
  ask: 10,
  join: 6,
  burst: 3,
  kick: 0.4,
  kickRoom: 0.1,
  leave: 0.4,
};

/** Milliseconds since the machine started: of one scale in every process on it. */
export const clock = () => Number(process.hrtime.bigint() / 1000n) / 1000;

const ACK = 3;

export class Actor {
  #who;
  #record;
  #random;
  #socket;
  #timer;
  #epoch = 0;
  /** Of broadcasts, in this epoch. */
  #number = 0;
  /** Of everything else, ever. */
  #serial = 0;
  /** Acks that are to come, in the order asked. */
  #pending = [];
  #ackPackets = 0;
  #acksHeard = 0;
  #lastEcho = 0;
  #burst = { next: 0, epoch: 0 };
  /** Questions that the server was told to ask, with their epoch. */
  #questions = new Map();
  #isKicked = false;
  #isStopped = false;
  #hasLeft = false;
  /** Whether this connection was counted. */
  #settled = false;

  constructor({ who, url, transports, seed, record }) {
    this.#who = who;
    this.#record = (kind, more) => record({ kind, who, ...more });
    this.#random = new Random(seed);
    const options = { reconnectionDelay: 50, reconnectionDelayMax: 500, timeout: 5_000, forceNew: true };
    this.#socket = io(url, { transports, ...options });
    this.#listen();
    this.#later();
  }

  /** From now on the client only listens. */
  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** What is yet to come on this connection; nothing when all is said. */
  get open() {
    if (!this.#socket.connected) {
      return "connection";
    }
    if (this.#pending.length > 0) {
      return `ack of ${JSON.stringify(this.#pending[0])}`;
    }
    const [question] = [...this.#questions].find(([, epoch]) => epoch === this.#epoch) ?? [];
    return question && `answer of ${question}`;
  }

  /** Judges what only the end can tell, and goes. */
  leave() {
    if (this.#ackPackets !== this.#acksHeard) {
      this.#wrong(`${this.#ackPackets} acks came for ${this.#acksHeard} that were asked`);
    }
    this.#hasLeft = true;
    this.#socket.disconnect();
  }

  #wrong(what) {
    this.#record("wrong", { what });
  }

  #listen() {
    const socket = this.#socket;
    socket.io.on("packet", ({ type }) => (this.#ackPackets += type === ACK));
    // Events of a recovery that broke are sent again by the next, but the client would keep both.
    socket.io.on("close", () => (socket.receiveBuffer = []));
    socket.io.on("open", () => (socket.receiveBuffer = []));
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.on("connect", () => this.#settle());
    for (const event of ["room", "all"]) {
      this.#on(event, (message) => this.#record("heard", message));
    }
    this.#on("message-back", ({ serial }) => {
      if (serial <= this.#lastEcho) {
        this.#wrong(`echo ${serial} came after ${this.#lastEcho}`);
      }
      this.#lastEcho = serial;
    });
    this.#on("n", (i) => this.#burstEvent(i));
    this.#on("ask", (serial, acknowledge) => {
      if (!this.#questions.has(serial)) {
        this.#wrong(`the server asked ${serial}, which it was not told to`);
      }
      acknowledge(serial);
    });
    this.#on("answer", (serial) => {
      if (!this.#questions.delete(serial)) {
        this.#wrong(`answer ${serial} came twice or unasked`);
      }
    });
  }

  /** What a recovery brings comes before the event `connect`. */
  #on(event, handle) {
    this.#socket.on(event, (...a) => {
      this.#settle();
      handle(...a);
    });
  }

  /** Counts a connection once, when its first event comes. */
  #settle() {
    const { id, recovered } = this.#socket;
    if (this.#settled) {
      return;
    }
    this.#settled = true;
    this.#epoch += 1;
    this.#number = 0;
    if (recovered && this.#isKicked) {
      this.#wrong(`what was disconnected by the server is recovered, as ${id}`);
    }
    this.#isKicked = false;
    if (!recovered) {
      this.#questions.clear();
      this.#burst = { next: 0, epoch: this.#epoch };
    }
    this.#record("connected", { recovered: Boolean(recovered), at: clock() });
  }

  #disconnected(reason) {
    this.#settled = false;
    this.#pending = [];
    // What the client kept for want of a ping would be sent by the next connection, in whose epoch it is not.
    this.#socket.sendBuffer = [];
    this.#isKicked = reason === "io server disconnect";
    if (this.#isKicked) {
      this.#record("over", {});
    }
    // The client reconnects by itself where nobody meant the end.
    const isMeant = this.#isKicked || reason === "io client disconnect";
    if (isMeant && !this.#hasLeft) {
      setTimeout(() => this.#socket.connect(), this.#random.between(0, 300));
    }
    this.#record("count", { what: `disconnect: ${reason}` });
  }

  #later() {
    if (!this.#isStopped) {
      this.#timer = setTimeout(() => {
        if (this.#socket.connected) {
          this.#act();
        }
        this.#later();
      }, this.#random.between(...PACE));
    }
  }

  #act() {
    const action = this.#random.weighed(ACTIONS);
    this.#record("count", { what: action });
    const serial = (this.#serial += 1);
    switch (action) {
      case "roomcast":
        return this.#cast("to", this.#random.of(ROOMS));
      case "broadcast":
        return this.#cast("all", ALL);
      case "echo":
        return this.#ask(["message", { serial }], () => {
          if (this.#lastEcho < serial) {
            this.#wrong(`echo ${serial} did not come before its ack`);
          }
        });
      case "binary": {
        const bytes = Buffer.alloc(this.#random.below(MAX_BYTES), serial);
        return this.#ask(["message-with-ack", serial, bytes], (...answer) => {
          if (!isDeepStrictEqual(answer, [serial, bytes])) {
            this.#wrong(`ack ${serial} differs from what was sent`);
          }
        });
      }
      case "ask":
        this.#questions.set(serial, this.#epoch);
        return this.#socket.emit("ask", serial);
      case "join": {
        const room = this.#random.of(ROOMS);
        this.#record("joining", { room });
        return this.#ask(["join", room], () => this.#record("joined", { room, at: clock() }));
      }
      case "burst":
        return this.#ask(["burst", BURST], () => {
          if (this.#burst.next !== 0) {
            this.#wrong(`a burst ended behind ${this.#burst.next} events`);
          }
        });
      case "kick":
        return this.#socket.emit("kick");
      case "kickRoom":
        return this.#socket.emit("kick-room", this.#random.of(ROOMS));
      case "leave":
        return this.#socket.disconnect();
    }
  }

  /** Sends to others; the server's ack says that it has. */
  #cast(event, room) {
    const [number, epoch] = [(this.#number += 1), this.#epoch];
    const message = { from: this.#who, epoch, number, room };
    this.#record("sent", { epoch, number, room, at: clock() });
    const target = event === "to" ? [room] : [];
    this.#ask([event, ...target, message], () => this.#record("acked", { epoch, number }));
  }

  /** Emits with an ack. The server handles what a client sends in its order, so acks keep it. */
  #ask(what, handle) {
    const asked = [(this.#serial += 1), what[0]];
    this.#pending.push(asked);
    this.#socket.emit(...what, (...answer) => {
      this.#acksHeard += 1;
      if (this.#pending[0] !== asked) {
        this.#wrong(`ack of ${asked} came while ${this.#pending[0]} was the next`);
      }
      this.#pending = this.#pending.filter((each) => each !== asked);
      handle(...answer);
    });
  }

  /** The events of a burst come in order, and all of them unless its connection broke. */
  #burstEvent(i) {
    const { next, epoch } = this.#burst;
    if (i !== next && !(i === 0 && epoch < this.#epoch)) {
      this.#wrong(`event ${i} of a burst came where ${next} was the next`);
    }
    this.#burst = { next: (i + 1) % BURST, epoch: i === 0 ? this.#epoch : epoch };
  }
}
