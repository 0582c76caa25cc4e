// socket.io-client 4 against namespace `/bound` of profile `auth`: tokens that open nothing without the key that they are
// bound to. The proofs are made by the snippet in the documentation of `ProofOfPossession`.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isRefused, isSubject, knock, now, token } from "./support/auth.mjs";
import { ways } from "./support/fixture.mjs";
import { next } from "./support/inbox.mjs";
import { askOne, connected, v4 } from "./support/socket.mjs";

const snippet = readFileSync(new URL("../../../auth/src/jwt/proof.js", import.meta.url), "utf8");
const prove = new Function(`${snippet}\nreturn prove;`)();

/** What the server expects its clients to believe. */
const HTU = "https://chat.example/socket.io/";

const NAMESPACE = "/bound";

const [own, foreign] = await Promise.all([newKeys(), newKeys()]);

for (const [way, options] of Object.entries(ways)) {
  describe(`a client by ${way}`, () => {
    it("enters with its token and a proof, and with a new proof when its connection was lost", async (t) => {
      const client = come(t, options, await boundTo(own));
      await connected(client);
      await isSubject(client, "ann");
      const { id } = client.io.engine;
      const again = next(client, "connect");
      client.io.engine.close();
      await again;
      assert.notEqual(client.io.engine.id, id);
      await isSubject(client, "ann");
    });

    it("renews its token with a proof", async (t) => {
      const client = come(t, options, await boundTo(own, now() + 100));
      await connected(client);
      const later = await boundTo(own, now() + 500);
      const proof = await prove(own, claims(client, later));
      const renewed = await askOne(client, "authenticate", { token: `${later}~${proof}` });
      assert.ok(renewed.expires_in > 400, `${renewed.expires_in} s are left`);
    });

    it("does not renew its token without a proof", async (t) => {
      const client = come(t, options, await boundTo(own));
      await connected(client);
      const refused = await askOne(client, "authenticate", { token: await boundTo(own) });
      assert.equal(refused.error.code, "invalid_token");
      await isSubject(client, "ann");
    });

    it("is refused with a token that is bound to another key, or to none", async (t) => {
      for (const value of [await boundTo(foreign), token("ann")]) {
        await isRefused(v4, come(t, options, value), "invalid_token");
      }
    });

    it("is refused without a proof", async (t) => {
      const auth = { token: await boundTo(own) };
      await isRefused(v4, knock(t, v4, NAMESPACE, { ...options, auth }), "invalid_token");
    });

    for (const wrong of [
      { sid: "another-connection__" },
      { nsp: "/" },
      { htu: "https://evil.example/socket.io/" },
      { token: token("ann") },
    ]) {
      it(`is refused with a proof of another ${Object.keys(wrong)}`, async (t) => {
        await isRefused(v4, come(t, options, await boundTo(own), wrong), "invalid_token");
      });
    }
  });
}

/** A client on its way in, with a token and a proof for each of its connections. */
function come(t, options, value, wrong) {
  const auth = async (send) => {
    send({ token: value, proof: await prove(own, { ...claims(client, value), ...wrong }) });
  };
  const client = knock(t, v4, NAMESPACE, { ...options, auth });
  return client;
}

/** What a proof for this connection says. */
function claims(client, value) {
  return { token: value, sid: client.io.engine.id, htu: HTU, nsp: NAMESPACE };
}

/** A key that does not leave its client. */
function newKeys() {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
}

/** A token that names the key, as its issuer makes it. */
async function boundTo({ publicKey }, exp = now() + 600) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  // These members, in this order (RFC 7638).
  const jkt = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  return token("ann", { claims: { exp, cnf: { jkt } } });
}
