// A client's way to the server, which can break and stall. Unlike the proxy of the clients' tests it loses nothing
// while it stalls, and holds both ends back as a full network does.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Link {
  #server;
  #ends = new Set();
  #isPaused = false;

  /** A link to `target`, an `http:` URL. */
  static async to(target) {
    const link = new Link();
    const { hostname, port } = new URL(target);
    link.#server = createServer((client) => link.#join(client, connect(port, hostname)));
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Breaks every connection, without a goodbye. */
  cut() {
    this.#ends.forEach((end) => end.destroy());
  }

  /** Nothing is read from either end until `resume`. */
  pause() {
    this.#isPaused = true;
    this.#ends.forEach((end) => end.pause());
  }

  resume() {
    this.#isPaused = false;
    this.#ends.forEach((end) => end.resume());
  }

  close() {
    this.#server.close();
    this.cut();
  }

  #join(client, server) {
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from, to) {
    this.#ends.add(from);
    from.setNoDelay(true);
    from.on("data", (data) => to.write(data) || from.pause());
    to.on("drain", () => this.#isPaused || from.resume());
    from.on("end", () => to.end());
    from.on("error", () => {});
    from.on("close", () => {
      this.#ends.delete(from);
      to.destroy();
    });
    if (this.#isPaused) {
      from.pause();
    }
  }
}
