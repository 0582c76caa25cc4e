// socket.io-client 4, and 2 with EIO3=1, against profile `auth` with AUTH_TIMEOUT=3000: clients that connect first and then
// say who they are.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  enter,
  generations,
  isSubject,
  isUnauthorized,
  now,
  reasonOfEnd,
  token,
  whoami,
} from "./support/auth.mjs";
import { ways } from "./support/fixture.mjs";
import { Inbox } from "./support/inbox.mjs";
import { ask, connected, v4 } from "./support/socket.mjs";

/** What the server was started with. */
const TIMEOUT_MS = 3_000;

/** How long after a failure the server waits for its acknowledgement. */
const GRACE_MS = 1_000;

/** What a busy machine may add. */
const SLACK_MS = 20_000;

const BAD_TOKENS = {
  "that is garbage": ["invalid_token", () => "garbage"],
  "of another secret": ["invalid_token", () => token("ann", { secret: "x".repeat(40) })],
  "of another audience": ["invalid_token", () => token("ann", { claims: { aud: "other" } })],
  "that has expired": ["token_expired", () => token("ann", { claims: { exp: now() - 1 } })],
  "that is missing": ["credentials_required", () => undefined],
  "that is no text": ["credentials_bad_format", () => 1],
};

for (const [name, generation] of Object.entries(generations)) {
  for (const [way, options] of Object.entries(ways)) {
    const { pend, activate } = entering(generation, options);

    describe(`${name} by ${way}`, () => {
      for (const namespace of ["/two-trip", "/either"]) {
        it(`is let into ${namespace} by its second word`, async (t) => {
          const client = await pend(t, namespace);
          const exp = now() + 500;
          await authenticate(client, token("ann", { claims: { exp } }));
          assert.deepEqual(await whoami(client), { sub: "ann", guest: false, expires_at: exp, rooms: [] });
        });
      }

      it("is answered by an ack too, if it asks for one", async (t) => {
        const client = await pend(t);
        const authenticated = new Inbox(client, "authenticated");
        const [answer] = await ask(client, "authenticate", { token: `Bearer ${token("ann")}` });
        assert.ok(answer.expires_in > 590 && answer.expires_in <= 600, `${answer.expires_in} s are left`);
        assert.deepEqual(await authenticated.next(), []);
        await isSubject(client, "ann");
      });

      for (const [what, [code, make]] of Object.entries(BAD_TOKENS)) {
        it(`is unauthorized with a token ${what}, and out once it has heard so`, async (t) => {
          const client = await pend(t);
          const unauthorized = new Inbox(client, "unauthorized");
          client.emit("authenticate", { token: make() });
          const acknowledge = await isUnauthorized(unauthorized, code);
          const ended = reasonOfEnd(client);
          acknowledge();
          assert.equal(await ended, "io server disconnect");
        });
      }

      it("is told in an ack what is wrong, if it asks for one", async (t) => {
        const client = await pend(t);
        const unauthorized = new Inbox(client, "unauthorized");
        const [answer] = await ask(client, "authenticate", { token: "garbage" });
        assert.equal(answer.error.code, "invalid_token");
        await isUnauthorized(unauthorized, "invalid_token");
      });

      it("is welcome with a good token after a bad one", async (t) => {
        const client = await pend(t);
        const unauthorized = new Inbox(client, "unauthorized");
        client.emit("authenticate", { token: "garbage" });
        await isUnauthorized(unauthorized, "invalid_token");
        await authenticate(client, token("ann"));
        await isSubject(client, "ann");
      });

      it("has three tries on one connection", async (t) => {
        const client = await pend(t);
        const unauthorized = new Inbox(client, "unauthorized");
        for (let tries = 0; tries < 3; tries++) {
          client.emit("authenticate", { token: "garbage" });
          await isUnauthorized(unauthorized, "invalid_token");
        }
        client.emit("authenticate", { token: token("ann") });
        await isUnauthorized(unauthorized, "too_many_attempts");
      });

      it("hears nothing while it waits, whatever it was meant by", async (t) => {
        const member = await activate(t, "ann");
        const waiting = await pend(t);
        const [heard, own] = [new Inbox(waiting, "heard"), new Inbox(member, "heard")];
        member.emit("shout", "for all");
        member.emit("roomcast", waiting.id, "for this one");
        await ask(member, "join", "red");
        member.emit("roomcast", "red", "for the room");
        assert.deepEqual(await own.take(2), ["for all", "for the room"]);

        await authenticate(waiting, token("bob"));
        member.emit("roomcast", waiting.id, "now");
        assert.deepEqual(await heard.next(), ["now"]);
      });

      it("does nothing while it waits, and nothing of it is done later", async (t) => {
        const member = await activate(t, "ann");
        const waiting = await pend(t);
        const [heard, answers] = [new Inbox(member, "heard"), []];
        waiting.emit("shout", "smuggled");
        waiting.emit("join", "red", () => answers.push("join"));
        waiting.emit("roomcast", "red", "smuggled");
        waiting.emit("whoami", () => answers.push("whoami"));
        waiting.emit("message", Buffer.from("smuggled"));

        await authenticate(waiting, token("bob"));
        assert.deepEqual((await whoami(waiting)).rooms, []);
        waiting.emit("shout", "allowed");
        assert.deepEqual(await heard.next(), ["allowed"]);
        assert.deepEqual(answers, []);
      });

      it("may send on behind its token, in order", async (t) => {
        const client = await pend(t);
        const heard = new Inbox(client, "heard");
        client.emit("authenticate", { token: token("ann") });
        [1, 2, 3].forEach((n) => client.emit("shout", n));
        assert.deepEqual(await heard.take(3), [1, 2, 3]);
      });

      it("loses what it sends behind a bad token", async (t) => {
        const client = await pend(t);
        const [heard, unauthorized] = [new Inbox(client, "heard"), new Inbox(client, "unauthorized")];
        client.emit("authenticate", { token: "garbage" });
        client.emit("shout", "smuggled");
        await isUnauthorized(unauthorized, "invalid_token");
        await authenticate(client, token("ann"));
        client.emit("shout", "allowed");
        assert.deepEqual(await heard.next(), ["allowed"]);
      });

      it("leaves its other namespaces alone when it fails in one", async (t) => {
        const guest = await pend(t, "/public");
        const client = generation.join(guest, "/two-trip");
        await connected(client);
        const unauthorized = new Inbox(client, "unauthorized");
        client.emit("authenticate", { token: "garbage" });
        const acknowledge = await isUnauthorized(unauthorized, "invalid_token");
        const ended = reasonOfEnd(client);
        acknowledge();
        assert.equal(await ended, "io server disconnect");
        assert.equal((await whoami(guest)).guest, true);
      });

      it("speaks the older dialect", async (t) => {
        const client = await pend(t, "/legacy");
        const authenticated = new Inbox(client, "authenticated");
        client.emit("authentication", { token: token("ann") });
        assert.deepEqual(await authenticated.next(), [true]);
        await isSubject(client, "ann");
      });

      it("is refused in the older dialect by a message alone", async (t) => {
        const client = await pend(t, "/legacy");
        const unauthorized = new Inbox(client, "unauthorized");
        client.emit("authentication", { token: "garbage" });
        const [error, acknowledge] = await unauthorized.next();
        assert.deepEqual(Object.keys(error), ["message"]);
        const ended = reasonOfEnd(client);
        acknowledge();
        assert.equal(await ended, "io server disconnect");
      });
    });
  }
}

// All at once, since they wait.
describe("as time passes", { concurrency: true }, () => {
  for (const [name, generation] of Object.entries(generations)) {
    for (const [way, options] of Object.entries(ways)) {
      const { pend, activate } = entering(generation, options);
      const who = `${name} by ${way}`;

      for (const namespace of ["/two-trip", "/either"]) {
        it(`${who} is ended in ${namespace} when it never says who it is`, async (t) => {
          const since = Date.now();
          const client = await pend(t, namespace);
          const [unauthorized, tries] = [new Inbox(client, "unauthorized"), new Inbox(client.io, "reconnect_attempt")];
          const ended = reasonOfEnd(client);
          await isUnauthorized(unauthorized, "auth_timeout");
          took(since, TIMEOUT_MS);
          assert.equal(await ended, "io server disconnect");
          assert.equal(unauthorized.size + tries.size, 0);
          isOut(generation, client);
        });
      }

      it(`${who} is told so in the older dialect`, async (t) => {
        const since = Date.now();
        const client = await pend(t, "/legacy");
        const [unauthorized, ended] = [new Inbox(client, "unauthorized"), reasonOfEnd(client)];
        assert.deepEqual((await unauthorized.next())[0], { message: "authentication timeout" });
        took(since, TIMEOUT_MS);
        assert.equal(await ended, "io server disconnect");
      });

      it(`${who} is ended a second after a bad token that it does not acknowledge`, async (t) => {
        const client = await pend(t);
        const [unauthorized, ended] = [new Inbox(client, "unauthorized"), reasonOfEnd(client)];
        const since = Date.now();
        client.emit("authenticate", { token: "garbage" });
        await isUnauthorized(unauthorized, "invalid_token");
        assert.equal(await ended, "io server disconnect");
        took(since, GRACE_MS);
        assert.equal(unauthorized.size, 0);
      });

      it(`${who} does not count with a token at the handshake`, async (t) => {
        const client = await enter(t, generation, "/two-trip", { ...options, auth: { token: token("ann") } });
        await isUnauthorized(new Inbox(client, "unauthorized"), "auth_timeout");
      });

      it(`${who} is not ended once it was let in`, async (t) => {
        const [member, late] = [await activate(t, "ann"), await pend(t)];
        // Who came after it and says nothing is ended when its own time would be over as well.
        await reasonOfEnd(late);
        await isSubject(member, "ann");
      });
    }
  }
});

/** How clients of a generation get into a namespace by one way. */
function entering(generation, options) {
  const pend = (t, namespace = "/two-trip") => enter(t, generation, namespace, options);
  const activate = async (t, sub) => {
    const client = await pend(t);
    await authenticate(client, token(sub));
    return client;
  };
  return { pend, activate };
}

/** Says who the client is, and hears that it is believed. */
async function authenticate(client, value) {
  const authenticated = new Inbox(client, "authenticated");
  client.emit("authenticate", { token: value });
  assert.deepEqual(await authenticated.next(), []);
}

function took(since, expectedMs) {
  const ms = Date.now() - since;
  // Clocks and timers round.
  assert.ok(ms > expectedMs - 50 && ms < expectedMs + SLACK_MS, `${ms} ms, not ${expectedMs}`);
}

/** The client does not try to come back. */
function isOut(generation, client) {
  assert.equal(client.connected, false);
  if (generation === v4) {
    assert.equal(client.active, false);
  }
}
