// Clients of profile `auth`, and JSON Web Tokens that it accepts, signed by hand.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { url } from "./fixture.mjs";
import { next } from "./inbox.mjs";
import { askOne, connected, upgraded, v2, v4 } from "./socket.mjs";

/** Both clients where protocol 3 is allowed, the newer alone elsewhere. */
export const isEio3Allowed = process.env.EIO3 === "1";

export const generations = {
  "socket.io-client 4": v4,
  ...(isEio3Allowed && { "socket.io-client 2": v2 }),
};

/** Now, as tokens count. */
export const now = () => Math.floor(Date.now() / 1000);

/** A good token of `sub` for ten minutes, apart from what `claims`, `secret` and `header` change. */
export function token(sub, { claims, header, secret = process.env.JWT_SECRET } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const all = {
    sub,
    aud: "fixture",
    iss: "https://issuer.example",
    iat: now(),
    exp: now() + 600,
    ...claims,
  };
  const text = `${part({ alg: "HS256", typ: "JWT", ...header })}.${part(all)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A token of `sub` that ends at `exp`. */
export const tokenUntil = (exp, sub) => token(sub, { claims: { exp } });

/** A client that was let into `namespace`. */
export async function enter(t, generation, namespace, options) {
  const client = knock(t, generation, namespace, options);
  await entered(client, generation, options);
  return client;
}

/** Resolves when a client that knocked is let in. */
export async function entered(client, generation, options) {
  // The older client may hear before that the root, which it cannot leave out, refuses it.
  await (generation === v2 ? next(client, "connect") : connected(client));
  await upgraded(client, options);
}

/** A client on its way into `namespace`. */
export function knock(t, generation, namespace, options) {
  const client = generation.create(url + namespace, options);
  t.after(() => generation.close(client));
  return client;
}

/** What the server knows of a client. */
export const whoami = (client) => askOne(client, "whoami");

/** The client is let in as `sub`. */
export async function isSubject(client, sub) {
  const who = await whoami(client);
  assert.equal(who.sub, sub);
  assert.equal(who.guest, false);
}

export async function isGuest(client) {
  assert.deepEqual(await whoami(client), { sub: null, guest: true, expires_at: null, rooms: [] });
}

/** The server refuses a client's CONNECT with this code, in the shape that each generation knows. */
export async function isRefused(generation, client, code) {
  const refused = await generation.refused(client);
  const data = generation === v4 ? refused.data : refused;
  assert.deepEqual(data, { message: refused.message, code, type: "UnauthorizedError" });
  assert.equal(typeof refused.message, "string");
}

/** The next `unauthorized` has this code; gives the function that acknowledges it. */
export async function isUnauthorized(unauthorized, code) {
  const [error, acknowledge] = await unauthorized.next();
  const { message } = error;
  assert.deepEqual(error, {
    message,
    inner: { message },
    data: { message, code, type: "UnauthorizedError" },
  });
  return acknowledge;
}

/** The reason of the client's next end. */
export async function reasonOfEnd(client) {
  const [reason] = await next(client, "disconnect");
  return reason;
}
