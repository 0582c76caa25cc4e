// What the scripts of all examples need.

import { io } from "socket.io-client";
import { connected } from "../clients/support/socket.mjs";

/** Where the example listens. */
export const url = process.env.EXAMPLE_URL;
if (!url) {
  throw new Error("EXAMPLE_URL must be set");
}

/** A client that may not be in yet; it is closed when test `t` ends. */
export function open(t, { namespace = "/", url: base = url, ...options } = {}) {
  const client = io(new URL(namespace, base).href, { forceNew: true, reconnectionDelay: 10, ...options });
  t.after(() => client.disconnect());
  return client;
}

/** The same, when it is in. */
export async function connect(t, options) {
  const client = open(t, options);
  await connected(client);
  return client;
}
