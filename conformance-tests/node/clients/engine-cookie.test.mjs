// engine.io-client 6 against profile `engine` with BIND_COOKIE=binding: sessions that belong to the one who has the cookie.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { connect, generations, upgraded } from "./support/engine.mjs";
import { url, ways } from "./support/fixture.mjs";
import { next } from "./support/inbox.mjs";

const client6 = generations["engine.io-client 6"];

describe("a client that keeps cookies", () => {
  for (const [way, options] of Object.entries(ways)) {
    it(`is served by ${way}`, async (t) => {
      const session = await connect(t, client6, url, { ...options, withCredentials: true });
      if (way === "upgrade") {
        await upgraded(session.client);
      }
      for (const text of ["one", "two"]) {
        session.client.send(text);
        assert.deepEqual(await session.messages.next(), [text]);
      }
    });
  }

  it("keeps its session when another asks for it without the cookie", async (t) => {
    const session = await connect(t, client6, url, { ...ways.polling, withCredentials: true });
    const stolen = `${url}/engine.io/?EIO=4&transport=polling&sid=${session.client.id}`;
    for (const request of [{}, { method: "POST", body: "4stolen" }]) {
      const answer = await fetch(stolen, request);
      assert.equal(answer.status, 400);
      assert.deepEqual(await answer.json(), { code: 3, message: "Bad request" });
    }
    session.client.send("mine");
    assert.deepEqual(await session.messages.next(), ["mine"]);
  });
});

describe("a client that keeps none", () => {
  it("is served by WebSocket, which takes one request", async (t) => {
    const session = await connect(t, client6, url, ways.WebSocket);
    session.client.send("one");
    assert.deepEqual(await session.messages.next(), ["one"]);
  });

  it("loses its session by polling", async (t) => {
    const { client } = await connect(t, client6, url, ways.polling);
    await next(client, "close");
  });
});
