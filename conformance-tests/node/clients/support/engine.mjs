// Both generations of Engine.IO's client, driven alike.

import { Socket } from "engine.io-client";
import eio from "engine.io-client-3";
import { Inbox, next } from "./inbox.mjs";

export const generations = {
  "engine.io-client 6": { revision: 4, create: (url, options) => new Socket(url, options) },
  "engine.io-client 3": { revision: 3, create: (url, options) => eio(url, options) },
};

/** A connected client with an inbox; it is closed when test `t` ends. */
export async function connect(t, generation, url, options) {
  const client = generation.create(url, { path: "/engine.io/", ...options });
  t.after(() => client.close());
  const messages = new Inbox(client, "message");
  await Promise.race([next(client, "open"), failure(client)]);
  return { client, messages, generation };
}

/** Resolves once the client has moved to WebSocket. */
export async function upgraded(client) {
  if (client.transport.name !== "websocket") {
    await next(client, "upgrade");
  }
}

/** Whether the server still knows a session. Asked with the wrong revision, so that the session is not disturbed. */
export async function isKnown(url, { client, generation }, id = client.id) {
  const wrong = generation.revision === 4 ? 3 : 4;
  const transport = client.transport.name;
  const answer = await fetch(`${url}/engine.io/?EIO=${wrong}&transport=${transport}&sid=${id}`);
  const { code } = await answer.json();
  return code !== UNKNOWN_SESSION;
}

const UNKNOWN_SESSION = 1;

function failure(client) {
  return new Promise((_resolve, reject) => client.once("error", reject));
}
