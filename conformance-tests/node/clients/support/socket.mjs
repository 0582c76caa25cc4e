// Both generations of Socket.IO's client, driven alike.

import { io } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
import io2 from "socket.io-client-2";
import { Inbox, next, within } from "./inbox.mjs";

const SWIFT = { reconnectionDelay: 10, forceNew: true };
const parser = process.env.PARSER === "msgpack" ? msgpack : undefined;

export const v4 = {
  create: (url, { auth, ...options } = {}) => io(url, { ...SWIFT, parser, auth, ...options }),
  join: (client, namespace, auth) => client.io.socket(namespace, { auth }),
  close: (client) => client.io._close(),
  refused: async (client) => {
    const [error] = await next(client, "connect_error");
    return { message: error.message, data: error.data };
  },
};

/** Before protocol 5 the query took the place of the auth payload. */
export const v2 = {
  create: (url, { auth, ...options } = {}) => io2(url, { ...SWIFT, query: auth, ...options }),
  join: (client, namespace, auth) => client.io.socket(namespace, { query: auth }),
  close: (client) => client.io.close(),
  refused: async (client) => {
    const packets = new Inbox(client.io, "packet");
    const errors = new Inbox(client, "error");
    for (;;) {
      const [{ type, nsp }] = await packets.next();
      // This client tells each of its sockets also what happens to the root.
      if (type === ERROR && (nsp === client.nsp || nsp === "/")) {
        const [payload] = await errors.next();
        if (nsp === client.nsp) {
          return typeof payload === "string" ? { message: payload } : payload;
        }
      }
    }
  },
};

/** CONNECT_ERROR, as protocol 4 called it. */
const ERROR = 4;

export const generations = {
  "socket.io-client 4": v4,
  ...(!parser && { "socket.io-client 2": v2 }),
};

/** A connected client of `url`, its path being the namespace; it is closed when test `t` ends. */
export async function connect(t, generation, url, options) {
  const client = generation.create(url, options);
  t.after(() => generation.close(client));
  await connected(client);
  return client;
}

/** As `connect`, and has moved to WebSocket where the options allow it. */
export async function connectUpgraded(t, generation, url, options) {
  const client = await connect(t, generation, url, options);
  await upgraded(client, options);
  return client;
}

/** Resolves when the client has moved to WebSocket, where the options allow it. */
export async function upgraded(client, { transports }) {
  if (transports.includes("websocket") && client.io.engine.transport.name !== "websocket") {
    await next(client.io.engine, "upgrade");
  }
}

/** Resolves when the client is, or gets, connected; fails when it is refused. */
export function connected(client) {
  return within("connection", (resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
    client.once("error", (error) => reject(Object.assign(new Error("refused"), { cause: error })));
    if (client.connected) {
      resolve();
    }
  });
}

/** Emits with an ack; resolves to the arguments of the answer. */
export function ask(client, ...a) {
  return within(`ack of \`${a[0]}\``, (resolve) => client.emit(...a, (...answer) => resolve(answer)));
}

/** The answer's only argument. */
export async function askOne(client, ...a) {
  const [value] = await ask(client, ...a);
  return value;
}
