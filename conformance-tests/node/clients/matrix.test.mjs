// socket.io-client 4, and 2 where protocol 3 is allowed, against the configurations of profile `matrix`.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { matrixUrl, ways } from "./support/fixture.mjs";
import { Inbox, next } from "./support/inbox.mjs";
import { Proxy } from "./support/proxy.mjs";
import { ask, connect, connected, connectUpgraded, v2, v4 } from "./support/socket.mjs";

const PLAIN = matrixUrl(0);
const QUICK = matrixUrl(1);
const LEGACY = matrixUrl(3);
const RECOVERING = matrixUrl(4);
const POLLING_ONLY = matrixUrl(5);
const WEBSOCKET_ONLY = matrixUrl(6);

/** Longer than 16 bytes, from which on the last two configurations compress. */
const COMPRESSIBLE = "compress me ".repeat(1_000);

for (const [way, options] of Object.entries(ways)) {
  describe(`socket.io-client 4 by ${way}`, () => {
    const open = (t, at = PLAIN) => connectUpgraded(t, v4, at, options);

    it("is refused by middleware, with its data", async (t) => {
      const root = await open(t);
      assert.deepEqual(await v4.refused(v4.join(root, "/no")), { message: "denied", data: undefined });
      assert.deepEqual(await v4.refused(v4.join(root, "/no-data")), {
        message: "denied",
        data: { code: 7, why: "x" },
      });
      assert.deepEqual(await ask(root, "message-with-ack", 1), [1]);
    });

    it("joins a dynamic namespace, and none that its pattern leaves out", async (t) => {
      const root = await open(t);
      const dynamic = v4.join(root, "/dyn-12");
      await connected(dynamic);
      assert.deepEqual(await ask(dynamic, "message-with-ack", "in"), ["in"]);
      assert.equal((await v4.refused(v4.join(root, "/dyn-x"))).message, "Invalid namespace");
    });

    it("keeps the members of two dynamic namespaces apart", async (t) => {
      const root = await open(t);
      const [one, two] = [v4.join(root, "/dyn-1"), v4.join(root, "/dyn-2")];
      await Promise.all([connected(one), connected(two)]);
      const [inOne, inTwo] = [new Inbox(one, "all"), new Inbox(two, "all")];
      one.emit("all", 1);
      two.emit("all", 2);
      assert.deepEqual(await inOne.next(), [1]);
      assert.deepEqual(await inTwo.next(), [2]);
    });

    it("gets what is emitted on connection", async (t) => {
      const root = await open(t);
      assert.deepEqual(await next(v4.join(root, "/emit-first"), "hello"), [1]);
    });

    it("tells a namespace its auth payload", async (t) => {
      const root = await open(t);
      assert.deepEqual(await next(v4.join(root, "/auth", { token: "x" }), "auth"), [{ token: "x" }]);
    });

    it("is kicked out of a namespace, and stays in the others", async (t) => {
      const root = await open(t);
      const custom = v4.join(root, "/custom");
      await connected(custom);
      const gone = next(custom, "disconnect");
      custom.emit("kick");
      assert.equal((await gone)[0], "io server disconnect");
      assert.deepEqual(await ask(root, "message-with-ack", 1), [1]);
    });

    it("is kicked out of every namespace at once", async (t) => {
      const root = await open(t);
      const custom = v4.join(root, "/custom");
      await connected(custom);
      const gone = [next(root, "disconnect"), next(custom, "disconnect")];
      custom.emit("kick-all");
      for (const left of gone) {
        assert.equal((await left)[0], "io server disconnect");
      }
    });

    it("gets a burst complete and in order", async (t) => {
      const client = await open(t);
      const numbers = new Inbox(client, "n");
      client.emit("burst", 1_000);
      assert.deepEqual(await numbers.take(1_000), Array.from({ length: 1_000 }, (_, n) => n));
    });

    it("gets bytes, nested too", async (t) => {
      const client = await open(t);
      const bytes = next(client, "bin");
      client.emit("bin");
      assert.deepEqual(await bytes, [Buffer.from([1, 2, 3]), { b: Buffer.from([4]) }]);
    });

    it("answers what it is asked", async (t) => {
      const client = await open(t);
      client.once("ask", (a, answer) => answer("answer to", a, Buffer.from([1])));
      const answer = next(client, "answer");
      client.emit("ask", "question");
      assert.deepEqual(await answer, ["answer to", "question", Buffer.from([1])]);
    });

    it("hears its room but not itself, and everything for all", async (t) => {
      const [one, two] = [await open(t), await open(t)];
      const [roomOfOne, roomOfTwo] = [new Inbox(one, "room"), new Inbox(two, "room")];
      const [allOfOne, allOfTwo] = [new Inbox(one, "all"), new Inbox(two, "all")];
      const room = `room of ${one.id}`;
      await ask(one, "join", room);
      await ask(two, "join", room);
      one.emit("to", room, "text", Buffer.from([1]));
      assert.deepEqual(await roomOfTwo.next(), ["text", Buffer.from([1])]);
      one.emit("all", "everyone", room);
      for (const inbox of [allOfOne, allOfTwo]) {
        assert.deepEqual(await inbox.next(), ["everyone", room]);
      }
      assert.equal(roomOfOne.size, 0);
    });
  });
}

describe("a client that the server no longer hears", () => {
  it("is told of the ping timeout by its own clock", async (t) => {
    const proxy = await Proxy.before(QUICK, t);
    const client = await connect(t, v4, proxy.url, ways.WebSocket);
    const gone = next(client, "disconnect");
    proxy.mute();
    assert.equal((await gone)[0], "ping timeout");
  });
});

describe("socket.io-client 2 where protocol 3 is allowed", () => {
  for (const [way, options] of Object.entries(ways)) {
    it(`is served by ${way}`, async (t) => {
      const root = await connectUpgraded(t, v2, LEGACY, options);
      assert.deepEqual(await ask(root, "message-with-ack", 1, Buffer.from([2])), [1, Buffer.from([2])]);
      const custom = v2.join(root, "/custom");
      await connected(custom);
      assert.deepEqual(await ask(custom, "message-with-ack", 1), [1]);
      assert.equal((await v2.refused(v2.join(root, "/no"))).message, "denied");
    });
  }

  it("is refused where it is not", async (t) => {
    const client = v2.create(PLAIN, { ...ways.polling, reconnection: false });
    t.after(() => v2.close(client));
    await next(client, "connect_error");
  });
});

describe("recovery", () => {
  // Not by polling alone: between two polls the server cannot know that the client is gone until the ping timeout.
  for (const way of ["WebSocket", "upgrade"]) {
    const options = ways[way];
    it(`gives back by ${way} the session, its rooms and what it missed`, async (t) => {
      const proxy = await Proxy.before(RECOVERING, t);
      const client = await connectUpgraded(t, v4, proxy.url, options);
      const other = await connect(t, v4, RECOVERING, ways.WebSocket);
      assert.equal(client.recovered, false);
      const { id } = client;
      const inbox = new Inbox(client, "room");
      // An offset follows the arguments, which the client keeps for its next CONNECT.
      const heard = async () => (await inbox.next()).slice(0, -1);
      // The session can be recovered from the first event that carried an offset.
      other.emit("to", "r", "before");
      assert.deepEqual(await heard(), ["before"]);

      const lost = next(client, "disconnect");
      await proxy.cut();
      await lost;
      other.emit("to", "r", "missed", 1);
      other.emit("to", "r", "missed", { nested: [2] });
      // Answered after both were sent.
      await ask(other, "message-with-ack");
      proxy.mend();
      await next(client, "connect");

      assert.equal(client.recovered, true);
      assert.equal(client.id, id);
      assert.deepEqual(await heard(), ["missed", 1]);
      assert.deepEqual(await heard(), ["missed", { nested: [2] }]);
      other.emit("to", "r", "after");
      assert.deepEqual(await heard(), ["after"]);
    });
  }

  it("is not for a client that said goodbye", async (t) => {
    const client = await connect(t, v4, RECOVERING, ways.WebSocket);
    const { id } = client;
    const heard = new Inbox(client, "all");
    client.emit("all", 1);
    await heard.next();
    client.disconnect();
    client.connect();
    await connected(client);
    assert.equal(client.recovered, false);
    assert.notEqual(client.id, id);
  });
});

describe("one transport only", () => {
  it("answers by polling, compressed, and offers no upgrade", async (t) => {
    const client = v4.create(POLLING_ONLY, ways.upgrade);
    t.after(() => v4.close(client));
    const [{ upgrades }] = await next(client.io.engine, "handshake");
    assert.deepEqual(upgrades, []);
    assert.deepEqual(await ask(client, "message-with-ack", COMPRESSIBLE), [COMPRESSIBLE]);
    assert.equal(client.io.engine.transport.name, "polling");
  });

  it("answers by WebSocket, compressed", async (t) => {
    const client = await connect(t, v4, WEBSOCKET_ONLY, ways.WebSocket);
    assert.match(client.io.engine.transport.ws.extensions, /permessage-deflate/);
    assert.deepEqual(await ask(client, "message-with-ack", COMPRESSIBLE, Buffer.from(COMPRESSIBLE)), [
      COMPRESSIBLE,
      Buffer.from(COMPRESSIBLE),
    ]);
  });

  it("refuses the other", async (t) => {
    for (const [url, options] of [
      [POLLING_ONLY, ways.WebSocket],
      [WEBSOCKET_ONLY, ways.polling],
    ]) {
      const client = v4.create(url, { ...options, reconnection: false });
      t.after(() => v4.close(client));
      await next(client, "connect_error");
    }
  });
});
