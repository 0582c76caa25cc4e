// Tokens and key sets as identity providers make them, signed by libraries that are not ours: npm's jose and jsonwebtoken, and
// PyJWT. Writes `auth/src/jwt/tests/providers.json`, which `auth/src/jwt/tests/providers.rs` judges:
//
//     node conformance-tests/node/tokens/generate.mjs
//
// The keys are made here and forgotten. What the tokens hold is what the providers document.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import jsonwebtoken from "jsonwebtoken";
import { providers } from "./providers.mjs";

const NOW = 1_800_000_000;
const root = new URL("../../../", import.meta.url).pathname;

/** A key pair of a provider, with what its set says of it beside the numbers. */
async function pair(alg, kid, members) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, ...members };
  return { alg, kid, privateKey, jwk, pem: await exportPKCS8(privateKey), publicPem: await exportSPKI(publicKey) };
}

/** A certificate of a key, as Google publishes those of Firebase. */
function certificate({ pem }) {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  try {
    const key = join(folder, "key.pem");
    writeFileSync(key, pem);
    const subject = "/CN=securetoken.system.gserviceaccount.com";
    return execFileSync("openssl", ["req", "-x509", "-new", "-key", key, "-subj", subject, "-days", "3650"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const jose = (claims, key, header) =>
  new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);

const nodes = (claims, key, header) =>
  jsonwebtoken.sign(claims, key.pem, { algorithm: key.alg, keyid: key.kid, header: { ...header }, noTimestamp: true });

/** The same by PyJWT, all at once. */
function python(asked) {
  const here = `${root}conformance-tests/python`;
  return JSON.parse(execFileSync(`${here}/.venv/bin/python`, [`${here}/tokens.py`], { input: JSON.stringify(asked) }));
}

const made = [];
for (const provider of providers(NOW)) {
  const { name, alg = "RS256", member = {}, header, expected, others = [], secret } = provider;
  if (secret) {
    made.push(await symmetric(provider));
    continue;
  }
  const kids = provider.kids ?? ["a", "b"].map((end) => `${name}-${end}`.replaceAll(" ", "-"));
  const [old, fresh] = await Promise.all(kids.map((kid) => pair(alg, kid, { use: "sig", ...member })));
  const stranger = await pair(alg, old.kid, {});
  const extra = provider.extra ? await provider.extra(pair) : [];
  const set = (...keys) =>
    provider.format === "certificates"
      ? Object.fromEntries(keys.map((key) => [key.kid, certificate(key)]))
      : { keys: [...keys.map(({ jwk }) => jwk), ...extra.map(({ jwk }) => jwk)] };

  const good = { exp: NOW + 3600, iat: NOW - 10, ...provider.claims };
  const cases = [];
  const add = (what, by, token, expect) => cases.push({ what, by, token, expect });
  add("a good token", "jose", await jose(good, old, header), expected);
  add("a good token", "jsonwebtoken", nodes(good, old, header), expected);
  add("a good token", "PyJWT", { claims: good, pem: old.pem, alg, headers: { kid: old.kid, ...header } }, expected);
  add("a token of the next key", "jose", await jose(good, fresh, header), { ...expected, set: 1 });
  add("a token of the key withdrawn", "jose", await jose(good, old, header), { verdict: "invalid_token", set: 2 });
  add("a token of a key that is in no set", "jose", await jose(good, { ...stranger, kid: "nowhere" }, header), {
    verdict: "invalid_token",
  });
  add("a stranger's under the same key id", "jsonwebtoken", nodes(good, stranger, header), {
    verdict: "invalid_token",
  });
  add("a token without signature", "jose", new UnsecuredJWT(good).encode(), { verdict: "invalid_token" });
  const asSecret = new TextEncoder().encode(old.publicPem);
  add(
    "a token signed with the public key",
    "jose",
    await new SignJWT(good).setProtectedHeader({ alg: "HS256", kid: old.kid }).sign(asSecret),
    { verdict: "invalid_token" },
  );
  const past = { ...good, iat: NOW - 7200, nbf: undefined, exp: NOW - 3600 };
  add("a token that has expired", "jsonwebtoken", nodes(JSON.parse(JSON.stringify(past)), old, header), {
    verdict: "token_expired",
  });
  for (const { what, claims, expect, headers, by = "jose" } of others) {
    const changed = JSON.parse(JSON.stringify({ ...good, ...claims }));
    const sign = by === "jose" ? jose : nodes;
    add(what, by, await sign(changed, old, { ...header, ...headers }), expect);
  }
  for (const key of extra) {
    add("a token of a key for encryption", "jsonwebtoken", nodes(good, { ...key, alg }, header), {
      verdict: "invalid_token",
    });
  }
  made.push({ name, sets: [set(old), set(old, fresh), set(fresh)], cases });
}

/** One with a secret, and no set. */
async function symmetric({ name, secret, claims, expected, others = [] }) {
  const good = { exp: NOW + 3600, iat: NOW - 10, ...claims };
  const bytes = new TextEncoder().encode(secret);
  const bySecret = (claims, with_ = bytes) => new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(with_);
  const cases = [
    { what: "a good token", by: "jose", token: await bySecret(good), expect: expected },
    { what: "a good token", by: "jsonwebtoken", token: jsonwebtoken.sign(good, secret), expect: expected },
    { what: "a good token", by: "PyJWT", token: { claims: good, pem: secret, alg: "HS256", headers: {} }, expect: expected },
    {
      what: "a stranger's",
      by: "jose",
      token: await bySecret(good, new TextEncoder().encode("x".repeat(40))),
      expect: { verdict: "invalid_token" },
    },
    { what: "a token without signature", by: "jose", token: new UnsecuredJWT(good).encode(), expect: { verdict: "invalid_token" } },
  ];
  for (const { what, claims, expect } of others) {
    cases.push({ what, by: "jose", token: await bySecret(JSON.parse(JSON.stringify({ ...good, ...claims }))), expect });
  }
  return { name, secret, sets: [], cases };
}

const asked = made.flatMap(({ cases }) => cases.filter(({ by }) => by === "PyJWT"));
python(asked.map(({ token }) => token)).forEach((token, at) => (asked[at].token = token));

const lines = JSON.stringify({ now: NOW, providers: made }, null, 1);
writeFileSync(`${root}auth/src/jwt/tests/providers.json`, `${lines}\n`);
console.log(`${made.length} providers, ${made.flatMap(({ cases }) => cases).length} tokens`);
