// Node with cookies, as a page of the origin OTHER_PAGE.

import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox, next } from "../clients/support/inbox.mjs";
import { askOne, connected } from "../clients/support/socket.mjs";
import { open, url } from "./support.mjs";

const origin = process.env.OTHER_PAGE;
const TRANSPORTS = [["polling"], ["websocket"]];

const post = (path, body, headers = {}) =>
  fetch(url + path, { method: "POST", redirect: "manual", headers, body });

const form = (name, password = "correct horse") => new URLSearchParams({ name, password });

/** Makes an account; the cookie that the browser would keep. */
async function register(name) {
  const answer = await post("/register", form(name));
  assert.equal(answer.status, 303, await answer.text());
  return cookieOf(answer);
}

function cookieOf(answer) {
  const [set] = answer.headers.getSetCookie();
  for (const attribute of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"]) {
    assert.ok(set.includes(attribute), set);
  }
  return set.split(";")[0];
}

/** A tab of whoever has the cookie. */
function tab(t, cookie, namespace = "/notes", options = {}) {
  return open(t, { namespace, extraHeaders: { cookie, origin }, ...options });
}

async function refusal(client) {
  const [error] = await next(client, "connect_error");
  return error.data?.code ?? error.message;
}

for (const transports of TRANSPORTS) {
  it(`shows notes in every tab of their author and of nobody else, by ${transports}`, async (t) => {
    const [ann, bob] = [await register(`ann${transports}`), await register(`bob${transports}`)];
    const [one, two, other] = [ann, ann, bob].map((cookie) => tab(t, cookie, "/notes", { transports }));
    const [shown, kept] = [new Inbox(two, "note"), new Inbox(other, "note")];
    const lists = [one, two, other].map((client) => new Inbox(client, "notes"));
    for (const list of lists) {
      assert.deepEqual(await list.next(), [[]]);
    }
    const note = await askOne(one, "add", "buy milk <b>");
    assert.equal(note.text, "buy milk <b>");
    assert.deepEqual(await shown.next(), [note]);

    const plain = await post("/api/notes", JSON.stringify({ text: "by HTTP" }), { cookie: ann, "content-type": "application/json" });
    assert.equal(plain.status, 201);
    const second = await plain.json();
    assert.deepEqual(await shown.next(), [second]);

    // Behind all that, bob hears of his own first.
    const own = await post("/api/notes", JSON.stringify({ text: "bob's" }), { cookie: bob, "content-type": "application/json" });
    assert.deepEqual(await kept.next(), [await own.json()]);

    const late = new Inbox(tab(t, ann, "/notes", { transports }), "notes");
    assert.deepEqual(await late.next(), [[note, second]]);
    assert.deepEqual(await (await fetch(`${url}/api/notes`, { headers: { cookie: ann } })).json(), [note, second]);
  });

  it(`ends what a session let in when it is logged out, by ${transports}`, async (t) => {
    const name = `cleo${transports}`;
    const here = await register(name);
    const there = cookieOf(await post("/login", form(name)));
    assert.notEqual(here, there);
    const clients = [tab(t, here, "/notes", { transports }), tab(t, here, "/account", { transports })];
    const elsewhere = tab(t, there, "/account", { transports });
    await Promise.all([...clients, elsewhere].map(connected));
    assert.deepEqual(await askOne(elsewhere, "whoami"), { name });

    const ended = clients.map((client) => next(client, "disconnect"));
    assert.equal((await post("/logout", undefined, { cookie: here })).status, 303);
    assert.deepEqual((await Promise.all(ended)).map(([reason]) => reason), Array(2).fill("io server disconnect"));
    assert.equal(await refusal(tab(t, here, "/notes", { transports })), "invalid_token");
    assert.deepEqual(await askOne(elsewhere, "whoami"), { name });
  });

  it(`keeps out who is not logged in, and pages of foreign origins, by ${transports}`, async (t) => {
    const cookie = await register(`dan${transports}`);
    for (const namespace of ["/notes", "/account"]) {
      assert.equal(await refusal(open(t, { namespace, transports, extraHeaders: { origin } })), "credentials_required");
      const foreign = { cookie, origin: "https://evil.example" };
      assert.match(await refusal(open(t, { namespace, transports, extraHeaders: foreign, reconnection: false })), /error/);
    }
  });
}

it("refuses wrong passwords, short ones, names that are taken, and notes that are too long", async (t) => {
  const cookie = await register("eve");
  assert.equal((await post("/login", form("eve", "wrong horse"))).status, 401);
  assert.equal((await post("/login", form("nobody"))).status, 401);
  assert.equal((await post("/register", form("eve"))).status, 409);
  assert.equal((await post("/register", form("frank", "short"))).status, 400);
  assert.equal((await post("/register", form("no spaces"))).status, 400);
  const client = tab(t, cookie);
  await connected(client);
  assert.equal((await askOne(client, "add", "x".repeat(1_000))).text.length, 1_000);
  for (const text of ["x".repeat(1_001), ""]) {
    assert.deepEqual(await askOne(client, "add", text), { error: "a note is 1 to 1,000 bytes long" });
  }
  assert.equal((await fetch(`${url}/api/notes`)).status, 401);
});

it("answers its pages' questions once, and those of no others", async () => {
  for (const path of ["/api/notes", "/socket.io/?EIO=4&transport=polling"]) {
    for (const method of ["OPTIONS", "GET"]) {
      for (const asking of [origin, "https://evil.example"]) {
        const asked = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
        const answer = await fetch(url + path, { method, headers: { origin: asking, ...(method === "OPTIONS" && asked) } });
        const [allowed, credentials] = ["origin", "credentials"].map((name) => answer.headers.get(`access-control-allow-${name}`));
        // Two of them would be joined by a comma here, which browsers refuse.
        assert.equal(allowed, asking === origin ? origin : null, `${method} ${path}`);
        assert.equal(allowed && credentials, allowed && "true", `${method} ${path}`);
      }
    }
  }
});

it("lets its clients go when it is told to end, those in the middle of their upgrade too", async (t) => {
  const cookie = await register("gus");
  const clients = Array.from({ length: 40 }, () => tab(t, cookie, "/notes", { reconnection: false }));
  // Before the ping timeout, by which every client goes. Some are not in yet, and may be refused.
  const gone = clients.map((client) => Promise.race([next(client.io, "close"), next(client.io, "error")]));
  await Promise.any(clients.map(connected));
  process.kill(Number(process.env.EXAMPLE_PID), "SIGINT");
  await Promise.all(gone);
});
