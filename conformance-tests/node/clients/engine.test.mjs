// engine.io-client 6 and 3 against profile `engine` with EIO3=1 and an unhurried heartbeat
// (PING_INTERVAL=25000 PING_TIMEOUT=20000).

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { connect, generations, isKnown, upgraded } from "./support/engine.mjs";
import { url, ways } from "./support/fixture.mjs";
import { Inbox, next, within } from "./support/inbox.mjs";
import { Proxy } from "./support/proxy.mjs";

const MAX_PAYLOAD = 1_000_000;
/** Fills the largest body exactly: a type character goes in front, and protocol 3 writes `1000000:` before it. */
const LARGE_TEXT = "x".repeat(MAX_PAYLOAD - "1000000:4".length);
/** Still fits when polling turns it into base64. */
const LARGE_BINARY = Buffer.alloc(749_900, 0xa5);

for (const [name, generation] of Object.entries(generations)) {
  for (const [way, options] of Object.entries(ways)) {
    describe(`${name} by ${way}`, () => {
      const open = async (t) => {
        const session = await connect(t, generation, url, options);
        if (way === "upgrade") {
          await upgraded(session.client);
        }
        return session;
      };

      it("gets text back unchanged", async (t) => {
        const { client, messages } = await open(t);
        for (const text of ["hello", "€😀 \u2028\u2029", '{"a":"\\u0000"}', "4", "b64?", " "]) {
          client.send(text);
          assert.deepEqual(await messages.next(), [text]);
        }
      });

      it("gets binary back unchanged", async (t) => {
        const { client, messages } = await open(t);
        for (const bytes of [Buffer.from([0]), Buffer.from([...Array(256).keys()]), Buffer.alloc(70_000, 7)]) {
          client.send(bytes);
          assertBytes(await messages.next(), bytes);
        }
      });

      it("gets text and binary back in the order sent", async (t) => {
        const { client, messages } = await open(t);
        client.send("one");
        client.send(Buffer.from("two"));
        client.send("three");
        assert.deepEqual((await messages.take(3)).map(String), ["one", "two", "three"]);
      });

      it("gets the largest message back", async (t) => {
        const { client, messages } = await open(t);
        client.send(LARGE_TEXT);
        assert.equal((await messages.next())[0], LARGE_TEXT);
        client.send(LARGE_BINARY);
        assertBytes(await messages.next(), LARGE_BINARY);
      });

      it("gets 1,000 messages sent at once back in order", async (t) => {
        const { client, messages } = await open(t);
        const sent = numbered(1_000);
        sent.forEach((text) => client.send(text));
        assert.deepEqual(await messages.take(sent.length), sent);
      });

      it("is forgotten after it closed", async (t) => {
        const session = await open(t);
        const { id } = session.client;
        assert.ok(await isKnown(url, session));
        const closed = next(session.client, "close");
        session.client.close();
        assert.equal((await closed)[0], "forced close");
        await within("end of the session", async (done) => {
          while (await isKnown(url, session, id));
          done();
        });
      });

      it("sees the server close after a heartbeat in the wrong direction", async (t) => {
        const { client } = await open(t);
        const closed = next(client, "close");
        const wrong = generation.revision === 4 ? "ping" : "pong";
        (client._sendPacket ?? client.sendPacket).call(client, wrong);
        // Its poll and this packet travel on two connections. Where workers run in parallel the packet may be first,
        // and the poll then comes for a session that is gone.
        const reasons = way === "polling" ? ["transport close", "transport error"] : ["transport close"];
        const [reason] = await closed;
        assert.ok(reasons.includes(reason), reason);
      });
    });
  }

  describe(`${name} during an upgrade`, () => {
    it("gets 1,000 messages back in order", async (t) => {
      const { client, messages } = await connect(t, generation, url, ways.upgrade);
      const sent = numbered(1_000);
      let isUpgraded = false;
      const done = next(client, "upgrade").then(() => (isUpgraded = true));
      // A few are on their way at any moment, and the tail follows the upgrade.
      let [at, got] = [0, []];
      for (; at < 20; at++) {
        client.send(sent[at]);
      }
      while (at < 900 && !isUpgraded) {
        got.push(...(await messages.take(1)));
        client.send(sent[at++]);
      }
      assert.ok(got.length > 0 && isUpgraded, "the upgrade must come in the midst of the messages");
      sent.slice(at).forEach((text) => client.send(text));
      got.push(...(await messages.take(sent.length - got.length)));
      await done;
      assert.deepEqual(got, sent);
      assert.equal(client.transport.name, "websocket");
    });

    it("stays on polling when WebSockets do not get through", async (t) => {
      const proxy = await Proxy.before(url, t);
      proxy.refuseWebSockets();
      const client = generation.create(proxy.url, { path: "/engine.io/", ...ways.upgrade });
      t.after(() => client.close());
      const messages = new Inbox(client, "message");
      await next(client, "upgradeError");
      client.send("still here");
      assert.deepEqual(await messages.next(), ["still here"]);
      assert.equal(client.transport.name, "polling");
    });
  });
}

function numbered(count) {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}

function assertBytes([actual], expected) {
  assert.ok(expected.equals(Buffer.from(actual)), `${actual.length} bytes came back, not as sent`);
}
