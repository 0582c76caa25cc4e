// socket.io-client 4, and 2 with EIO3=1, against profile `auth`: what becomes of a client when its token ends, is renewed or
// revoked.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  enter,
  entered,
  generations,
  isGuest,
  isRefused,
  isSubject,
  isUnauthorized,
  knock,
  now,
  reasonOfEnd,
  token,
  tokenUntil,
  whoami,
} from "./support/auth.mjs";
import { ways } from "./support/fixture.mjs";
import { Inbox, next, within } from "./support/inbox.mjs";
import { ask, askOne, connected, v2, v4 } from "./support/socket.mjs";

/** Enough to connect in, and to be told that the end is near. */
const SHORT_SECONDS = 4;

// All at once, since they wait for tokens to end. So each has subjects and rooms of its own.
describe("as time passes", { concurrency: true }, () => {
  for (const [name, generation] of Object.entries(generations)) {
    for (const [way, options] of Object.entries(ways)) {
      const who = `${name} by ${way}`;

      for (const namespace of ["/", "/two-trip"]) {
        it(`${who} is told in ${namespace} that its token ends, renews it, and stays`, async (t) => {
          const [exp, later] = [now() + SHORT_SECONDS, now() + 500];
          const two = ["token_expiring", "unauthorized"].map((event) =>
            holdAndHear(t, generation, namespace, options, tokenUntil(exp, "ann"), event),
          );
          const [[renewing, notices], [, unauthorized]] = await Promise.all(two);
          const [{ expires_in: left }] = await notices.next();
          assert.ok(left >= 0 && left < SHORT_SECONDS, `${left} s are left`);
          const authenticated = new Inbox(renewing, "authenticated");
          const answer = await askOne(renewing, "authenticate", { token: tokenUntil(later, "ann") });
          assert.ok(answer.expires_in > 400, `${answer.expires_in} s are left`);
          assert.deepEqual(await authenticated.next(), []);
          assert.equal((await whoami(renewing)).expires_at, later);

          // The old token ends, and with it the client that has no other.
          await isUnauthorized(unauthorized, "token_expired");
          assert.equal((await whoami(renewing)).expires_at, later);
        });
      }

      it(`${who} comes back by itself with a fresh token when its own ends`, async (t) => {
        const [exp, later] = [now() + SHORT_SECONDS, now() + 500];
        const client = await refreshing(t, generation, options, [tokenUntil(exp, "ann"), tokenUntil(later, "ann")]);
        const { id } = client;
        const [unauthorized, ended] = [new Inbox(client, "unauthorized"), reasonOfEnd(client)];
        const again = next(client, "connect");
        await isUnauthorized(unauthorized, "token_expired");
        assert.equal(await ended, "transport close");
        assert.ok(now() >= exp, "not before its end");
        await again;
        assert.notEqual(client.id, id);
        assert.deepEqual(await whoami(client), { sub: "ann", guest: false, expires_at: later, rooms: [] });
      });

      it(`${who} loses every namespace with one token, and comes back to each`, async (t) => {
        const tokens = [tokenUntil(now() + SHORT_SECONDS, "ann"), token("ann")];
        const client = await refreshing(t, generation, options, tokens);
        const guest = generation.join(client, "/public");
        await connected(guest);
        const ends = [reasonOfEnd(client), reasonOfEnd(guest)];
        const again = [next(client, "connect"), next(guest, "connect")];
        assert.deepEqual(await Promise.all(ends), ["transport close", "transport close"]);
        await Promise.all(again);
        await isSubject(client, "ann");
        await isGuest(guest);
      });
    }
  }
});

for (const [name, generation] of Object.entries(generations)) {
  for (const [way, options] of Object.entries(ways)) {
    describe(`${name} by ${way}`, () => {
      const open = (t, value) => hold(t, generation, "/", options, value);

      it("cannot become another with another's token", async (t) => {
        const client = await open(t, token("ann"));
        const unauthorized = new Inbox(client, "unauthorized");
        client.emit("authenticate", { token: token("bob") });
        const acknowledge = await isUnauthorized(unauthorized, "identity_mismatch");
        acknowledge();
        await isSubject(client, "ann");
      });

      it("keeps its token when a renewal fails", async (t) => {
        const client = await open(t, token("ann"));
        const unauthorized = new Inbox(client, "unauthorized");
        client.emit("authenticate", { token: "garbage" });
        const acknowledge = await isUnauthorized(unauthorized, "invalid_token");
        acknowledge();
        await isSubject(client, "ann");
      });

      it("may become somebody as a guest, and stay so", async (t) => {
        const client = await enter(t, generation, "/guest", options);
        await isGuest(client);
        const authenticated = new Inbox(client, "authenticated");
        client.emit("authenticate", { token: token("ann") });
        await authenticated.next();
        await isSubject(client, "ann");
      });

      it("is ended wherever it is when its subject is revoked, and stays out", async (t) => {
        const sub = `revoked by ${name} by ${way}`;
        const value = token(sub);
        const places = ["/", "/admin", "/two-trip", "/either", "/guest"];
        const clients = await Promise.all(places.map((place) => hold(t, generation, place, options, value)));
        const spared = await open(t, token("spared"));
        const heard = clients.map((client) => ({
          client,
          unauthorized: new Inbox(client, "unauthorized"),
          ended: reasonOfEnd(client),
          tries: new Inbox(client.io, "reconnect_attempt"),
        }));
        await revoke(t, generation, options, sub);

        for (const { client, unauthorized, ended, tries } of heard) {
          await isUnauthorized(unauthorized, "token_revoked");
          assert.equal(await ended, "io server disconnect");
          assert.equal(client.connected, false);
          assert.equal(tries.size, 0);
          if (generation === v4) {
            assert.equal(client.active, false);
          }
        }
        await isSubject(spared, "spared");
        const again = knock(t, generation, "/", { ...options, auth: { token: value } });
        await isRefused(generation, again, "token_revoked");
      });

      it("keeps what needs no token when its subject is revoked", async (t) => {
        const sub = `half revoked by ${name} by ${way}`;
        const client = await open(t, token(sub));
        const guest = generation.join(client, "/public");
        await connected(guest);
        const ended = reasonOfEnd(client);
        await ask(guest, "revoke", sub);
        assert.equal(await ended, "io server disconnect");
        await isGuest(guest);
      });
    });
  }
}

describe("a subject that was revoked", () => {
  it("is welcome with a token that was made later", async (t) => {
    await revoke(t, v4, ways.WebSocket, "repentant");
    const revokedAt = now();
    await within("a later second", (resolve) => {
      const timer = setInterval(() => now() > revokedAt && resolve(), 50);
      t.after(() => clearInterval(timer));
    });
    await isSubject(await hold(t, v4, "/", ways.WebSocket, token("repentant")), "repentant");
  });
});

/** A client that got into `namespace` with a token, the way it is done there. */
async function hold(t, generation, namespace, options, value) {
  const [client] = await holdAndHear(t, generation, namespace, options, value);
  return client;
}

/** As `hold`, with an inbox that misses none of the `event`s. */
async function holdAndHear(t, generation, namespace, options, value, event = "unauthorized") {
  const isTold = namespace === "/two-trip";
  const auth = isTold ? undefined : { token: value };
  const client = knock(t, generation, namespace, { ...options, auth });
  const inbox = new Inbox(client, event);
  await entered(client, generation, options);
  if (isTold) {
    await ask(client, "authenticate", { token: value });
  }
  return [client, inbox];
}

/** A client of the root that brings the next of `tokens` each time it connects. */
async function refreshing(t, generation, options, tokens) {
  if (generation === v4) {
    return enter(t, v4, "/", { ...options, auth: (send) => send({ token: tokens.shift() }) });
  }
  // As the older client's documentation tells its users to do.
  const client = await enter(t, v2, "/", { ...options, auth: { token: tokens.shift() } });
  client.on("reconnect_attempt", () => {
    client.io.opts.query = { token: tokens[0] };
  });
  return client;
}

async function revoke(t, generation, options, sub) {
  const guest = await enter(t, generation, "/public", options);
  assert.deepEqual(await ask(guest, "revoke", sub), []);
}
