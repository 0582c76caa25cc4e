// Just enough of a Socket.IO client for this page, used where the official one is not installed: WebSocket only, text
// only, one connection for each namespace. It has the official client's names for what the page uses.

const LONGEST_PAUSE_MS = 5000;

class SmallSocket {
  connected = false;
  /** What the page reads of the official client's manager. */
  io = { engine: { transport: { name: "websocket" }, on() {} } };

  #namespace;
  #auth;
  #handlers = new Map();
  #acks = new Map();
  #nextAck = 0;
  #failures = 0;
  #isWanted = true;
  #web = null;
  #silence = null;

  constructor(namespace, { auth } = {}) {
    this.#namespace = namespace;
    this.#auth = auth ?? ((send) => send({}));
    this.#open();
  }

  on(event, handler) {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
    return this;
  }

  get volatile() {
    return { emit: (...args) => { if (this.connected) this.emit(...args); } };
  }

  emit(...args) {
    this.#packet(2, JSON.stringify(args));
  }

  timeout(ms) {
    return {
      emitWithAck: (...args) => new Promise((resolve, reject) => {
        const id = this.#nextAck++;
        const timer = setTimeout(() => {
          this.#acks.delete(id);
          reject(new Error("operation has timed out"));
        }, ms);
        this.#acks.set(id, (value) => { clearTimeout(timer); resolve(value); });
        this.#packet(2, id + JSON.stringify(args));
      }),
    };
  }

  disconnect() {
    this.#isWanted = false;
    if (this.connected) this.#packet(1, "");
    this.#web.close();
  }

  #open() {
    const web = new WebSocket(`${location.origin.replace(/^http/, "ws")}/socket.io/?EIO=4&transport=websocket`);
    this.#web = web;
    web.onmessage = ({ data }) => this.#hear(data);
    web.onclose = () => this.#lost(web);
  }

  #packet(type, rest) {
    const namespace = this.#namespace === "/" ? "" : `${this.#namespace},`;
    if (this.#web.readyState === WebSocket.OPEN) this.#web.send(`4${type}${namespace}${rest}`);
  }

  #tell(event, ...args) {
    for (const handler of this.#handlers.get(event) ?? []) handler(...args);
  }

  #hear(data) {
    if (data[0] === "0") {
      const { pingInterval, pingTimeout } = JSON.parse(data.slice(1));
      this.#listen(pingInterval + pingTimeout);
      this.#auth((payload) => this.#packet(0, JSON.stringify(payload)));
    } else if (data === "2") {
      this.#web.send("3");
      this.#listen(this.#silence.ms);
    } else if (data[0] === "4") {
      this.#receive(data);
    }
  }

  /** A server that says nothing for longer than it promised is gone. */
  #listen(ms) {
    clearTimeout(this.#silence?.timer);
    const web = this.#web;
    this.#silence = { ms, timer: setTimeout(() => { web.close(); this.#lost(web); }, ms) };
  }

  #receive(data) {
    const [, type, , id, json] = /^4(\d)(\/[^,]*,)?(\d*)([^]*)$/.exec(data);
    const value = json && JSON.parse(json);
    if (type === "0") {
      this.connected = true;
      this.#failures = 0;
      this.#tell("connect");
    } else if (type === "1") {
      this.#isWanted = false;
      this.#lost(this.#web, "io server disconnect");
    } else if (type === "2") {
      this.#tell(...value);
    } else if (type === "3") {
      this.#acks.get(Number(id))?.(value[0]);
      this.#acks.delete(Number(id));
    } else if (type === "4") {
      this.#isWanted = false;
      this.#tell("connect_error", Object.assign(new Error(value.message), { data: value.data }));
    }
  }

  #lost(web, reason = "transport close") {
    if (web !== this.#web) return;
    clearTimeout(this.#silence?.timer);
    this.#web = { readyState: WebSocket.CLOSED, close() {} };
    web.close();
    const was = this.connected;
    this.connected = false;
    if (was) this.#tell("disconnect", this.#isWanted ? reason : "io client disconnect");
    else if (this.#isWanted) this.#tell("connect_error", new Error("the server cannot be reached"));
    if (!this.#isWanted) return;
    setTimeout(() => this.#isWanted && this.#open(), Math.min(LONGEST_PAUSE_MS, 500 * 2 ** this.#failures++));
  }
}

export function io(namespace, options) {
  return typeof namespace === "string" ? new SmallSocket(namespace, options) : new SmallSocket("/", namespace);
}
