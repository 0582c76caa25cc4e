// socket.io-client 4, and 2 with EIO3=1, against profile `auth`: tokens that come with the handshake.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  enter,
  generations,
  isEio3Allowed,
  isGuest,
  isRefused,
  isSubject,
  knock,
  now,
  token,
  whoami,
} from "./support/auth.mjs";
import { ways } from "./support/fixture.mjs";
import { Inbox } from "./support/inbox.mjs";
import { ask, connected, v2, v4 } from "./support/socket.mjs";

const ORIGIN = "http://a.example";

const HEADERS = {
  "a bearer header": (value) => ({ authorization: `Bearer ${value}` }),
  "a bearer header in small letters": (value) => ({ authorization: `bearer ${value}` }),
  "x-auth-token": (value) => ({ "x-auth-token": value }),
  "a cookie": (value) => ({ cookie: `a=b; token=${value}` }),
  "a cookie from the allowed origin": (value) => ({ cookie: `token=${value}`, origin: ORIGIN }),
};

const BAD_TOKENS = {
  "that is garbage": ["invalid_token", () => "garbage"],
  "of another secret": ["invalid_token", () => token("ann", { secret: "x".repeat(40) })],
  "of another audience": ["invalid_token", () => token("ann", { claims: { aud: "other" } })],
  "of another issuer": ["invalid_token", () => token("ann", { claims: { iss: "other" } })],
  "that never ends": ["invalid_token", () => token("ann", { claims: { exp: undefined } })],
  "of nobody": ["invalid_token", () => token(undefined)],
  "that begins tomorrow": ["invalid_token", () => token("ann", { claims: { nbf: now() + 86_400 } })],
  "that is not signed": ["invalid_token", () => unsigned()],
  "that has expired": ["token_expired", () => token("ann", { claims: { exp: now() - 1 } })],
};

for (const [name, generation] of Object.entries(generations)) {
  for (const [way, options] of Object.entries(ways)) {
    describe(`${name} by ${way}`, () => {
      const open = (t, namespace, more) => enter(t, generation, namespace, { ...options, ...more });
      const refused = (t, namespace, more, code) =>
        isRefused(generation, knock(t, generation, namespace, { ...options, ...more }), code);

      it("enters with a token, and is known by it", async (t) => {
        for (const namespace of ["/", "/admin", "/either", "/guest"]) {
          const exp = now() + 500;
          const client = await open(t, namespace, { auth: { token: token("ann", { claims: { exp } }) } });
          assert.deepEqual(await ask(client, "join", "red"), []);
          assert.deepEqual(await whoami(client), { sub: "ann", guest: false, expires_at: exp, rooms: ["red"] });
        }
      });

      for (const [source, headers] of Object.entries(HEADERS)) {
        it(`enters with ${source}`, async (t) => {
          await isSubject(await open(t, "/", { extraHeaders: headers(token("ann")) }), "ann");
        });
      }

      it("is refused a cookie from another origin, as a guest too", async (t) => {
        const extraHeaders = { cookie: `token=${token("ann")}`, origin: "http://evil.example" };
        for (const namespace of ["/", "/guest"]) {
          await refused(t, namespace, { extraHeaders }, "origin_not_allowed");
        }
      });

      it("is refused two different tokens, and let in with the same one twice", async (t) => {
        const auth = { token: token("ann") };
        const other = { "x-auth-token": token("bob") };
        await refused(t, "/", { auth, extraHeaders: other }, "ambiguous_credentials");
        const same = { "x-auth-token": auth.token };
        await isSubject(await open(t, "/", { auth, extraHeaders: same }), "ann");
      });

      it("is refused a foreign scheme, unless a token stands beside it", async (t) => {
        const extraHeaders = { authorization: "Basic YTpi" };
        await refused(t, "/", { extraHeaders }, "credentials_bad_scheme");
        const client = await open(t, "/", { extraHeaders, auth: { token: token("ann") } });
        await isSubject(client, "ann");
      });

      it("is refused without a token", async (t) => {
        for (const namespace of ["/", "/admin"]) {
          await refused(t, namespace, {}, "credentials_required");
          await refused(t, namespace, { auth: { token: "" } }, "credentials_required");
        }
      });

      for (const [what, [code, make]] of Object.entries(BAD_TOKENS)) {
        it(`is refused a token ${what}`, async (t) => {
          for (const namespace of ["/", "/admin", "/either", "/guest"]) {
            await refused(t, namespace, { auth: { token: make() } }, code);
          }
        });
      }

      it("is a guest without a token where guests are welcome", async (t) => {
        await isGuest(await open(t, "/guest"));
      });

      it("is looked at by the header alone where that is wanted", async (t) => {
        const auth = { token: token("ann") };
        await refused(t, "/header", { auth }, "missing_authorization_header");
        const extraHeaders = { authorization: `Bearer ${token("bob")}` };
        await isSubject(await open(t, "/header", { extraHeaders }), "bob");
      });

      it("is nobody in a public namespace, whatever it sends", async (t) => {
        for (const auth of [undefined, { token: "garbage" }, { token: token("ann") }]) {
          await isGuest(await open(t, "/public", { auth }));
        }
      });

      it("is judged for each namespace that it joins later", async (t) => {
        const root = await open(t, "/", { auth: { token: token("ann") } });
        // Of the older client, the query of the first request counts for every namespace.
        const code = generation === v2 ? "ambiguous_credentials" : "invalid_token";
        await isRefused(generation, generation.join(root, "/admin", { token: "garbage" }), code);
        const guest = generation.join(root, "/public");
        await connected(guest);
        await isGuest(guest);
        await isSubject(root, "ann");
      });
    });
  }
}

for (const [way, options] of Object.entries(ways)) {
  describe(`socket.io-client 4 by ${way}, on its own`, () => {
    it("may have a function for its token, and a scheme before it", async (t) => {
      const auth = (send) => send({ token: `Bearer ${token("ann")}` });
      await isSubject(await enter(t, v4, "/", { ...options, auth }), "ann");
    });

    it("is refused a token that is no text", async (t) => {
      for (const value of [1, true, {}, ["a"], Buffer.from("a")]) {
        const client = knock(t, v4, "/", { ...options, auth: { token: value } });
        await isRefused(v4, client, "credentials_bad_format");
      }
    });

    it("stays out once refused, until it tries again", async (t) => {
      const guest = await enter(t, v4, "/public", options);
      const client = v4.join(guest, "/", { token: "garbage" });
      await isRefused(v4, client, "invalid_token");
      assert.equal(client.active, false);
      client.auth = { token: token("ann") };
      client.connect();
      await connected(client);
      await isSubject(client, "ann");
    });

    it("has three tries on one connection", async (t) => {
      // Without another namespace, this client gives the connection up when it is refused.
      const guest = await enter(t, v4, "/public", options);
      const client = v4.join(guest, "/", { token: "garbage" });
      for (const next of ["garbage", "garbage", token("ann")]) {
        await isRefused(v4, client, "invalid_token");
        client.auth = { token: next };
        client.connect();
      }
      await isRefused(v4, client, "too_many_attempts");
    });

    it("is let into one namespace and not into another, on one connection", async (t) => {
      const guest = await enter(t, v4, "/guest", options);
      const admin = v4.join(guest, "/admin", { token: "garbage" });
      await isRefused(v4, admin, "invalid_token");
      const heard = new Inbox(admin.io.engine, "message");
      const member = await enter(t, v4, "/admin", { ...options, auth: { token: token("ann") } });
      const own = new Inbox(member, "heard");
      member.emit("shout", "secret");
      assert.deepEqual(await own.next(), ["secret"]);
      // The answer to this is all that the refused client's connection brings.
      await isGuest(guest);
      assert.equal(heard.size, 1);
    });

    it(`${isEio3Allowed ? "may" : "may not"} have its token in the query`, async (t) => {
      const client = knock(t, v4, "/", { ...options, query: { token: token("ann") } });
      if (isEio3Allowed) {
        await connected(client);
        await isSubject(client, "ann");
      } else {
        await isRefused(v4, client, "credentials_required");
      }
    });
  });
}

function unsigned() {
  const [, claims] = token("ann").split(".");
  return `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;
}
