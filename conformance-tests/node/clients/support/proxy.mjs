// A TCP proxy that can do what networks do: fall silent, and break.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #server;
  #links = new Set();
  #isMute = false;
  #isCut = false;
  #refusesWebSockets = false;

  /** A proxy before `target`, an `http:` URL. `t` is the test that it ends with. */
  static async before(target, t) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(target);
    proxy.#server = createServer((client) => {
      if (proxy.#isCut) {
        client.destroy();
      } else {
        proxy.#link(client, connect(port, hostname));
      }
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    t.after(() => proxy.#close());
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** From now on nothing of what the server says arrives. */
  mute() {
    this.#isMute = true;
  }

  /** From now on connections end that ask for a WebSocket. */
  refuseWebSockets() {
    this.#refusesWebSockets = true;
  }

  /** Breaks every connection, without a goodbye, and every new one until `mend`. */
  async cut() {
    this.#isCut = true;
    const links = [...this.#links];
    const gone = links.map((link) => once(link, "close"));
    links.forEach((link) => link.destroy());
    await Promise.all(gone);
  }

  /** Lets connections through again. */
  mend() {
    this.#isCut = false;
  }

  #link(client, server) {
    client.on("data", (data) => {
      if (this.#refusesWebSockets && /^upgrade: *websocket/im.test(data)) {
        client.destroy();
      } else {
        server.write(data);
      }
    });
    client.on("end", () => server.end());
    client.on("close", () => server.destroy());
    server.on("data", (data) => this.#isMute || client.write(data));
    server.on("end", () => this.#isMute || client.end());
    server.on("close", () => this.#isMute || client.destroy());
    for (const end of [client, server]) {
      this.#links.add(end);
      end.on("error", () => {});
      end.on("close", () => this.#links.delete(end));
    }
  }

  async #close() {
    this.#server.close();
    await this.cut();
  }
}
