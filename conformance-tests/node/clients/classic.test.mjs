// socket.io-client 2 and 4 as they were written for the classic modules, with tokens of npm's jsonwebtoken, against the example
// `classic` of the socketio crate. `conformance-tests/tests/classic.rs` starts one for each way and kind of token.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import jsonwebtoken from "jsonwebtoken";
import { Inbox, next } from "./support/inbox.mjs";
import { askOne, v2, v4 } from "./support/socket.mjs";

const servers = JSON.parse(process.env.CLASSIC_URLS);
const SECRET = process.env.JWT_SECRET;
const generations = { "socket.io-client 4": v4, "socket.io-client 2": v2 };

/** What a busy machine may add. */
const SLACK_MS = 20_000;

const MODERN = { issuer: "https://issuer.example", audience: "fixture" };
const sign = (claims, options, secret = SECRET) => jsonwebtoken.sign(claims, secret, options);
const strict = (claims, options) => sign(claims, { ...MODERN, expiresIn: "10m", ...options });

/** Tokens with and without `exp` and `sub`: what each kind of server makes of them. */
const TOKENS = {
  "with sub and exp": { make: (more) => strict({ sub: "ann", ...more }), good: ["strict"] },
  "with sub and without exp": { make: (more) => sign({ sub: "ann", ...more }, MODERN), good: [] },
  "with exp and without sub": { make: (more) => sign({ id: 7, ...more }, { expiresIn: "10m" }), good: ["loose"] },
  "without exp and sub": { make: (more) => sign({ id: 7, ...more }), good: ["loose"] },
};
const kinds = ["strict", "loose"];
const goodOf = (kind) => Object.values(TOKENS).find(({ good }) => good.includes(kind)).make;
const expired = (kind, claims) =>
  kind === "strict" ? strict({ sub: "ann", ...claims }, { expiresIn: -60 }) : sign({ id: 7 }, { expiresIn: -60 });

/** A client of a way; it is closed when the test ends. */
function knock(t, generation, way, namespace, { query, headers, ...options } = {}) {
  const client = generation.create(servers[way] + namespace, {
    ...(query && { query }),
    ...(headers && { extraHeaders: headers }),
    reconnection: false,
    ...options,
  });
  t.after(() => generation.close(client));
  return client;
}

/** `{message, data}`, whatever the generation makes of a refusal. */
async function refused(generation, client) {
  const { message, data, ...rest } = await generation.refused(client);
  return { message, ...(data ?? rest) };
}

/** The claims that the server has, when the client is in. */
const whoami = (client) => askOne(client, "whoami");

function claimsOf(token) {
  return jsonwebtoken.decode(token);
}

/** One test for each kind of token, that it is taken or refused. `present` gives `undefined` when the client was let in. */
function takesTokens(way, generation, present) {
  for (const kind of kinds) {
    for (const [what, { make, good }] of Object.entries(TOKENS)) {
      const isGood = good.includes(kind);
      it(`${isGood ? "takes" : "refuses"} tokens ${what} where they are ${kind}`, async (t) => {
        const token = make({ admin: true });
        const { client, error } = await present(t, `${way} ${kind}`, token);
        assert.equal(error?.code, isGood ? undefined : "invalid_token");
        if (isGood) {
          assert.deepEqual(await whoami(client), claimsOf(token));
        }
      });
    }
    it(`refuses tokens that have expired where they are ${kind}`, async (t) => {
      const { error } = await present(t, `${way} ${kind}`, expired(kind, { admin: true }));
      assert.equal(error.code, "token_expired");
    });
  }
}

/** Whether a client gets in; `error` when it does not. */
async function outcome(generation, client) {
  const error = await Promise.race([next(client, "connect").then(() => undefined), refused(generation, client)]);
  return { client, error };
}

for (const [name, generation] of Object.entries(generations)) {
  describe(`two round trips, by hand, of ${name}`, () => {
    const authenticate = async (t, way, token) => {
      const client = knock(t, generation, way, "/");
      const unauthorized = new Inbox(client, "unauthorized");
      const welcome = next(client, "welcome");
      client.on("connect", () => client.emit("authenticate", { token }));
      const authenticated = next(client, "authenticated");
      const error = await Promise.race([
        Promise.all([authenticated, welcome]).then(() => undefined),
        unauthorized.next().then(([{ data }]) => data),
      ]);
      return { client, error };
    };
    takesTokens("two-trips", generation, authenticate);

    it("puts out who says nothing for five seconds, and not before", async (t) => {
      const client = knock(t, generation, "two-trips strict", "/");
      await next(client, "connect");
      const since = performance.now();
      await next(client, "disconnect");
      const waited = performance.now() - since;
      assert.ok(waited > 4_500 && waited < 5_000 + SLACK_MS, `${waited} ms`);
    });
  });

  describe(`a token in the query, of ${name}`, () => {
    const present = (t, way, token) => outcome(generation, knock(t, generation, way, "/", { query: { token } }));
    takesTokens("query", generation, present);

    it("is an authentication error without one", async (t) => {
      const { error } = await present(t, "query strict", "");
      assert.equal(error.message, "Authentication error");
    });

    it("is asked further by the middleware behind", async (t) => {
      const { error } = await present(t, "query strict", strict({ sub: "ann", banned: true }));
      assert.equal(error.message, "banned");
    });
  });

  describe(`socketio-jwt-auth's verify, of ${name}`, () => {
    const user = async (client) => (await next(client, "success"))[0];

    for (const kind of kinds) {
      const token = (more) => goodOf(kind)(more);
      it(`finds the user of a ${kind} token in the query`, async (t) => {
        const query = { auth_token: token({ name: "Ann" }) };
        const client = knock(t, generation, `jwt-auth ${kind}`, "/", { query });
        assert.deepEqual(await user(client), { name: "Ann", logged_in: true });
      });
      it(`finds the user of a ${kind} token in the header`, async (t) => {
        const headers = { "x-auth-token": token({ name: "Ann" }) };
        const client = knock(t, generation, `jwt-auth ${kind}`, "/", { headers });
        assert.deepEqual(await user(client), { name: "Ann", logged_in: true });
      });
      it(`refuses ${kind} tokens that do not fit, or whose user is unknown`, async (t) => {
        for (const [claims, text] of [
          [token({ name: "nobody" }), "no such user"],
          [expired(kind), "the token has expired"],
          ["garbage", "the token is not valid"],
        ]) {
          const client = knock(t, generation, `jwt-auth ${kind}`, "/", { query: { auth_token: claims } });
          assert.equal((await refused(generation, client)).message, text);
        }
      });
      it(`says that it cannot tell, where the database of ${kind} tokens is down`, async (t) => {
        const query = { auth_token: token({ name: "down" }) };
        const client = knock(t, generation, `jwt-auth ${kind}`, "/", { query });
        assert.equal((await refused(generation, client)).code, "auth_unavailable");
      });
    }

    it("lets in without a token, as nobody", async (t) => {
      const client = knock(t, generation, "jwt-auth strict", "/");
      assert.deepEqual(await user(client), { name: null, logged_in: false });
    });
  });

  describe(`the handshake, of ${name}`, () => {
    /** In the payload, or what took its place, and where that does not reach the root, in the URL. */
    const presenting = (namespace) => (t, way, token) => {
      const options = generation === v4 ? { auth: { token } } : { query: { token } };
      return outcome(generation, knock(t, generation, way, namespace, options));
    };
    takesTokens("handshake", generation, presenting("/"));

    it("is asked for another token by a namespace of its own policy", async (t) => {
      const member = await presenting("/admin")(t, "handshake strict", strict({ sub: "ann" }));
      assert.equal(member.error.message, "for admins only");
      const admin = strict({ sub: "root", admin: true });
      const { client } = await presenting("/admin")(t, "handshake strict", admin);
      assert.deepEqual(await whoami(client), claimsOf(admin));
    });

    it("is not asked for where a namespace is public", async (t) => {
      assert.equal((await outcome(generation, knock(t, generation, "handshake strict", "/status"))).error, undefined);
    });

    it("keeps strangers out everywhere else", async (t) => {
      for (const namespace of ["/", "/admin"]) {
        const client = knock(t, generation, "handshake strict", namespace);
        assert.equal((await refused(generation, client)).code, "credentials_required");
      }
    });
  });

  describe(`python-socketio's ways, of ${name}`, () => {
    takesTokens("python", generation, (t, way, token) =>
      outcome(generation, knock(t, generation, way, "/", { headers: { authorization: `Bearer ${token}` } })),
    );

    it("refuses in connect, with a text", async (t) => {
      const headers = { authorization: `Bearer ${strict({ sub: "ann" })}` };
      const client = knock(t, generation, "python strict", "/", { headers });
      assert.equal((await refused(generation, client)).message, "for admins only");
    });

    it("is told that a token ends, and may renew it", async (t) => {
      const brief = strict({ sub: "ann", admin: true }, { expiresIn: 4 });
      const client = knock(t, generation, "python strict", "/", { headers: { authorization: `Bearer ${brief}` } });
      const expiring = next(client, "token_expiring");
      assert.equal((await outcome(generation, client)).error, undefined);
      await expiring;
      const fresh = strict({ sub: "ann", admin: true });
      const { expires_in } = await askOne(client, "authenticate", { token: fresh });
      assert.ok(expires_in > 500);
      assert.deepEqual(await whoami(client), claimsOf(fresh));
    });
  });

  describe(`socketio-auth's events, of ${name}`, () => {
    const authenticate = async (t, way, token) => {
      const client = knock(t, generation, way, "/");
      const welcome = next(client, "welcome");
      const refusal = next(client, "unauthorized");
      const authenticated = next(client, "authenticated");
      await next(client, "connect");
      client.emit("authentication", { token });
      const error = await Promise.race([
        Promise.all([authenticated, welcome]).then(([words]) => assert.deepEqual(words, [true])),
        refusal.then(([{ message }]) => message),
      ]);
      return { client, error };
    };

    for (const kind of kinds) {
      for (const [what, { make, good }] of Object.entries(TOKENS)) {
        it(`answers tokens ${what} where they are ${kind}`, async (t) => {
          const { error } = await authenticate(t, `socketio-auth ${kind}`, make());
          assert.equal(error, good.includes(kind) ? undefined : "the token is not valid");
        });
      }
    }

    it("serves nobody before, puts out after a second, and tells the others only of members", async (t) => {
      const { client: member } = await authenticate(t, "socketio-auth strict", strict({ sub: "ann" }));
      const left = new Inbox(member, "left");
      const waiting = knock(t, generation, "socketio-auth strict", "/");
      await next(waiting, "connect");
      let isAnswered = false;
      waiting.emit("whoami", () => (isAnswered = true));
      await next(waiting, "disconnect");
      assert.equal(isAnswered, false);
      const { client: other } = await authenticate(t, "socketio-auth strict", strict({ sub: "bob" }));
      other.disconnect();
      assert.deepEqual(await left.next(), ["client namespace disconnect"]);
      assert.equal(left.size, 0);
    });
  });

  describe(`socketio-jwt's options, of ${name}`, () => {
    const way = "options strict";
    const enter = async (t, namespace, options) => outcome(generation, knock(t, generation, way, namespace, options));
    const withToken = (token) => (generation === v4 ? { auth: { token } } : { query: { token } });
    const isIn = async (t, namespace, token, options = withToken(token)) => {
      const { client, error } = await enter(t, namespace, options);
      assert.equal(error, undefined);
      assert.deepEqual(await whoami(client), claimsOf(token));
    };
    const isOut = async (t, namespace, code, options) => {
      const { error } = await enter(t, namespace, options);
      assert.equal(error?.code, code);
      return error;
    };
    const ann = (more, options) => strict({ sub: "ann", ...more }, options);
    const secretOf = (tenant) => `the secret of the tenant called ${tenant}`;

    it("/secret: a text", async (t) => {
      await isIn(t, "/secret", ann());
      await isOut(t, "/secret", "invalid_token", withToken(sign({ sub: "ann" }, { expiresIn: 60 }, "x".repeat(40))));
    });

    it("/base64: the bytes that it stands for", async (t) => {
      const text = "dGhpcnR5LXR3byBieXRlcyBhbmQgbW9yZSBvZiBhIHNlY3JldA==";
      await isIn(t, "/base64", sign({ sub: "ann" }, { expiresIn: 60 }, Buffer.from(text, "base64")));
      await isOut(t, "/base64", "invalid_token", withToken(sign({ sub: "ann" }, { expiresIn: 60 }, text)));
    });

    it("/public-key: its algorithm and no other", async (t) => {
      const pem = (name) => readFileSync(new URL(`../../../auth/src/testing/pem/${name}.pem`, import.meta.url));
      const signed = (algorithm) => sign({ sub: "ann" }, { expiresIn: 60, algorithm }, pem("rsa2048"));
      await isIn(t, "/public-key", signed("RS256"));
      for (const algorithm of ["RS512", "PS256"]) {
        await isOut(t, "/public-key", "invalid_token", withToken(signed(algorithm)));
      }
    });

    it("/secret-function: chosen by a claim", async (t) => {
      const signed = (tenant, by) => sign({ sub: "ann", tenant }, { expiresIn: 60 }, secretOf(by));
      await isIn(t, "/secret-function", signed("a", "a"));
      await isOut(t, "/secret-function", "invalid_token", withToken(signed("a", "b")));
      await isOut(t, "/secret-function", "invalid_token", withToken(signed(undefined, "undefined")));
    });

    it("/loose: neither sub nor exp nor iss nor aud", async (t) => {
      await isIn(t, "/loose", sign({ id: 7 }));
      await isOut(t, "/loose", "invalid_token", withToken(sign({})));
    });

    it("/verify: issuer, audience, type, clocks, age", async (t) => {
      const typed = { header: { typ: "at+jwt" } };
      await isIn(t, "/verify", ann({}, typed));
      for (const [options, code] of [
        [{ ...typed, issuer: "https://other.example" }, "invalid_token"],
        [{ ...typed, audience: "others" }, "invalid_token"],
        [{}, "invalid_token"],
        [{ ...typed, expiresIn: -1 }, "token_expired"],
        [{ ...typed, expiresIn: "16m" }, "invalid_token"],
      ]) {
        await isOut(t, "/verify", code, withToken(ann({}, options)));
      }
    });

    it("/query: in the address and nowhere else", async (t) => {
      const token = ann();
      // The namespace's own query, which stands for the payload in protocol 4, is another place.
      await isIn(t, "/query", token, { query: { token } });
      await isOut(t, "/query", "credentials_required", generation === v4 ? { auth: { token } } : undefined);
    });

    it("/header: in Authorization and nowhere else", async (t) => {
      const token = ann();
      await isIn(t, "/header", token, { headers: { authorization: `Bearer ${token}` } });
      await isOut(t, "/header", "missing_authorization_header", withToken(token));
      await isOut(t, "/header", "credentials_bad_scheme", { headers: { authorization: `Basic ${token}` } });
    });

    it("/cookie: of pages that may", async (t) => {
      const token = ann();
      const cookie = `token=${token}`;
      await isIn(t, "/cookie", token, { headers: { cookie, origin: "https://app.example" } });
      await isOut(t, "/cookie", "origin_not_allowed", { headers: { cookie, origin: "https://evil.example" } });
    });

    it("/guest: nothing at all is good, anything bad is not", async (t) => {
      const { client } = await enter(t, "/guest");
      assert.equal(await whoami(client), "guest");
      await isOut(t, "/guest", "invalid_token", withToken("garbage"));
    });

    it("/decoded: as the application wants it", async (t) => {
      const { client } = await enter(t, "/decoded", withToken(ann()));
      assert.deepEqual(await whoami(client), { user: "ann" });
    });

    it("/check: asked behind the signature, and told apart from a database that is down", async (t) => {
      await isIn(t, "/check", ann());
      const error = await isOut(t, "/check", "invalid_token", withToken(ann({ sub: "mallory" })));
      assert.equal(error.type, "UnauthorizedError");
      const down = await isOut(t, "/check", "auth_unavailable", withToken(ann({ sub: "down" })));
      assert.equal(down.type, "UnavailableError");
    });

    it("/texts: chosen by the application", async (t) => {
      const error = await isOut(t, "/texts", "credentials_required");
      assert.equal(error.message, "no token, no chat");
    });

    it("/legacy: the texts that old clients compare", async (t) => {
      const error = await isOut(t, "/legacy", "invalid_token", withToken(ann({}, { expiresIn: -60 })));
      assert.equal(error.message, "jwt expired");
    });

    const pend = async (t, namespace) => {
      const client = knock(t, generation, way, namespace);
      await next(client, "connect");
      return client;
    };

    it("/timeout: one second for the event", async (t) => {
      const client = await pend(t, "/timeout");
      const authenticated = next(client, "authenticated");
      const token = ann();
      client.emit("authenticate", { token });
      await authenticated;
      assert.deepEqual(await whoami(client), claimsOf(token));
      const silent = await pend(t, "/timeout");
      await next(silent, "disconnect");
    });

    it("/field: as the application calls it", async (t) => {
      const client = await pend(t, "/field");
      const token = ann();
      const { error } = await askOne(client, "authenticate", { jwt: token });
      assert.equal(error, undefined);
      assert.deepEqual(await whoami(client), claimsOf(token));
      const { error: missed } = await askOne(await pend(t, "/field"), "authenticate", { token });
      assert.equal(missed.code, "credentials_required");
    });

    it("/callback-200: out when it has heard, or 200 ms later", async (t) => {
      const hears = await pend(t, "/callback-200");
      const told = next(hears, "unauthorized");
      hears.emit("authenticate", { token: "garbage" });
      const since = performance.now();
      const [{ data }] = await told;
      assert.equal(data.code, "invalid_token");
      await next(hears, "disconnect");
      assert.ok(performance.now() - since < 200 + SLACK_MS);
    });

    it("/callback-true: not before it has heard", async (t) => {
      const client = await pend(t, "/callback-true");
      const told = next(client, "unauthorized");
      client.emit("authenticate", { token: "garbage" });
      const [, acknowledge] = await told;
      // It may take its time: longer than the second that others have.
      await next(await pend(t, "/timeout"), "disconnect");
      assert.equal(client.connected, true);
      const ended = next(client, "disconnect");
      acknowledge();
      await ended;
    });

    it("/post-authenticate: for those who come in, and guests who say later who they are", async (t) => {
      const greeted = async (client) => (await next(client, "welcome"))[0];
      const member = knock(t, generation, way, "/post-authenticate", withToken(ann()));
      assert.equal(await greeted(member), "ann");
      const guest = knock(t, generation, way, "/post-authenticate");
      assert.equal(await greeted(guest), "guest");
      const again = greeted(guest);
      guest.emit("authenticate", { token: ann() });
      assert.equal(await again, "ann");
    });
  });
}
