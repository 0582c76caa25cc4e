// What a client of one node does, and a client of another node of the cluster hears.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { Emitter } from "@socket.io/redis-emitter";
import { ADAPTER, PREFIX, REDIS, call, client, eventually, join, redis } from "./support/cluster.mjs";
import { Inbox, next } from "./support/inbox.mjs";

/** In a room of its own, so that tests do not hear each other. */
let rooms = 0;
const fresh = () => `room#${++rooms}`;

/** A client of each node. What is asked right then misses neither, also where they are the first of a dynamic namespace. */
const both = async (t, nsp, options) => {
  const clients = await Promise.all([client(t, 0, nsp, options), client(t, 1, nsp, options)]);
  if (ADAPTER === "postgres" && [process.env.FIRST_KIND, process.env.SECOND_KIND].includes("Node")) {
    // The reference knows the others of a namespace that it has just opened when they have answered its heartbeat (CLA-06).
    await eventually(async () => {
      for (const socket of clients) {
        assert.equal(await call(socket, "count"), 2);
      }
    });
  }
  return clients;
};

// Each channel has a slot of its own there, so two channels have no order between them (SHD-06).
const isOrdered = ADAPTER !== "redis-sharded" || REDIS.length === 1;
const ordered = (events) => (isOrdered ? events : [...events].sort());

for (const nsp of ["/", "/custom", "/dyn-7"]) {
  describe(`between two nodes in ${nsp}`, () => {
    it("an event reaches everyone, a room, one socket, and nobody who is left out", async (t) => {
      const [a, b] = await both(t, nsp);
      const [inA, inB] = [new Inbox(a, "x"), new Inbox(b, "x")];
      const room = fresh();
      await join(t, b, room, nsp);
      await call(a, "tell", {}, "x", "all");
      await call(a, "tell", { rooms: [room] }, "x", "room");
      await call(a, "tell", { rooms: [b.id] }, "x", "one");
      await call(a, "tell", { rooms: [room, a.id], volatile: false }, "x", "several");
      await call(a, "tell", { except: [room] }, "x", "not in the room");
      await call(a, "tell", { local: true }, "x", "local");
      await call(a, "tell", { from: "socket" }, "x", "from a");
      await call(a, "tell", {}, "x", "last");
      assert.deepEqual(ordered(await inB.take(6)), ordered(["all", "room", "one", "several", "from a", "last"]));
      // With some adapters the reference's own clients wait for Redis (CLA-03), and what is local does not.
      const heardByA = (await inA.take(5)).sort();
      assert.deepEqual(heardByA, ["all", "last", "local", "not in the room", "several"]);
      assert.equal(inA.size + inB.size, 0);
    });

    it("an event has its bytes, numbers and text", async (t) => {
      const [a, b] = await both(t, nsp);
      const args = [
        { deep: [{ bytes: Buffer.from([0, 1, 255]) }], text: "é😀\u0000", empty: {} },
        [0, -1, 1.5, 2 ** 53, -(2 ** 40), 1e300, null, true],
        Buffer.alloc(70_000, 7),
      ];
      const heard = next(b, "x");
      await call(a, "tell", { from: "socket" }, "x", ...args);
      // The classic encoder of Node writes whole numbers beyond 64 bits as 0 (RDS-06).
      const [first, numbers, bytes] = await heard;
      assert.deepEqual(first, args[0]);
      assert.ok(numbers[5] === 1e300 || numbers[5] === 0);
      const others = (list) => list.filter((_, index) => index !== 5);
      assert.deepEqual(others(numbers), others(args[1]));
      assert.deepEqual(bytes, args[2]);
    });

    it("events arrive in order, whichever channel they use", { skip: !isOrdered }, async (t) => {
      const [a, b] = await both(t, nsp);
      const room = fresh();
      await join(t, b, room, nsp);
      const heard = new Inbox(b, "n");
      const count = 300;
      for (let i = 0; i < count; i++) {
        a.emit("tell", i % 2 ? { rooms: [room] } : { from: "socket" }, "n", i, () => {});
      }
      assert.deepEqual(await heard.take(count), [...Array(count).keys()]);
    });

    it("clients of both acknowledge", async (t) => {
      const [a, b] = await both(t, nsp);
      const room = fresh();
      await Promise.all([join(t, a, room, nsp), join(t, b, room, nsp)]);
      a.on("q", (x, ack) => ack({ from: "a", x }));
      b.on("q", (x, ack) => ack({ from: "b", x }));
      const { error, answers } = await call(a, "ask", { rooms: [room] }, 5_000, "q", 7);
      assert.equal(error, null);
      answers.sort((one, other) => (one.from < other.from ? -1 : 1));
      assert.deepEqual(answers, [
        { from: "a", x: 7 },
        { from: "b", x: 7 },
      ]);
      b.off("q");
      const late = await call(a, "ask", { rooms: [room] }, 300, "q", 8);
      assert.notEqual(late.error, null);
      assert.deepEqual(late.answers, [{ from: "a", x: 8 }]);
      b.on("q", (_x, ack) => ack(Buffer.from([1, 2])));
      const binary = await call(a, "ask", { rooms: [b.id] }, 5_000, "q", 9);
      assert.deepEqual(binary, { error: null, answers: [Buffer.from([1, 2])] });
    });

    it("sockets of both are found", async (t) => {
      const [a, b] = await both(t, nsp, { auth: { token: "t" }, query: { q: "w" } });
      const room = fresh();
      await Promise.all([join(t, a, room, nsp), join(t, b, room, nsp)]);
      await call(b, "data", { status: "away", n: [1.5] });
      const { error, sockets } = await call(a, "fetch", { rooms: [room] });
      assert.equal(error, null);
      assert.deepEqual(sockets.map(({ id }) => id).sort(), [a.id, b.id].sort());
      const found = sockets.find(({ id }) => id === b.id);
      assert.deepEqual(found.rooms.sort(), [b.id, room].sort());
      assert.deepEqual(found.data, { status: "away", n: [1.5] });
      assert.deepEqual([found.query, found.issued, found.address], ["w", "number", "127.0.0.1"]);
      assert.deepEqual(found.auth, { token: "t" });
    });

    it("sockets of the other are moved and disconnected", async (t) => {
      const [a, b] = await both(t, nsp);
      const [room, other] = [fresh(), fresh()];
      await join(t, b, room, nsp);
      await call(a, "move", "join", { rooms: [room] }, [other, "more"]);
      await eventually(async () => {
        assert.deepEqual((await call(b, "me")).rooms, ["more", other, room].sort());
      });
      await call(a, "move", "leave", { rooms: [b.id] }, ["more"]);
      await eventually(async () => assert.deepEqual((await call(b, "me")).rooms, [other, room].sort()));
      assert.deepEqual((await call(a, "me")).rooms, []);
      const gone = next(b, "disconnect");
      await call(a, "kick", { rooms: [room] }, false);
      assert.deepEqual((await gone)[0], "io server disconnect");
      const another = await client(t, 1, nsp);
      const closed = next(another.io.engine, "close");
      await call(a, "kick", { rooms: [another.id] }, true);
      await closed;
      assert.ok(a.connected);
    });

    it("servers tell and ask each other", async (t) => {
      const [a, b] = await both(t, nsp);
      await call(b, "heard");
      await call(a, "serverside", "note", 1, { two: "three" });
      await eventually(async () => assert.deepEqual(await call(b, "heard"), [["note", 1, { two: "three" }]]));
      assert.deepEqual(await call(a, "heard"), []);
      const there = (await call(b, "me")).node;
      assert.deepEqual(await call(a, "serverside-ask", "note-ack", "x"), {
        error: null,
        answers: [{ node: there, args: ["x"] }],
      });
      const { error, answers } = await call(a, "serverside-ask", "mute", there);
      assert.notEqual(error, null);
      assert.deepEqual(answers, []);
      const bytes = await call(a, "serverside-ask", "bytes", Buffer.from([1, 2, 3]));
      // The classic adapter of Node has no bytes here (RED-RQ-10).
      const [echoed] = bytes.answers;
      assert.deepEqual(Buffer.isBuffer(echoed) ? echoed : Buffer.from(echoed.data), Buffer.from([1, 2, 3]));
    });

    it("each is counted once", async (t) => {
      const [a, b] = await both(t, nsp);
      await eventually(async () => assert.deepEqual([await call(a, "count"), await call(b, "count")], [2, 2]));
    });
  });
}

//= RDS-06 test
describe("dates", () => {
  it("are what a client would have got of its own node, whichever node says them", async (t) => {
    const clients = await both(t, "/");
    const dates = [0, 1, 1_999_999_999_999, -1, 2 ** 32 * 1_000, 2 ** 34 * 1_000 + 1, -62_167_219_200_001, 8.64e15, -8.64e15];
    for (const [teller, other] of [clients, [...clients].reverse()]) {
      const event = teller.id;
      const inboxes = clients.map((socket) => new Inbox(socket, event));
      await call(other, "heard");
      for (const date of dates) {
        const text = new Date(date).toISOString();
        const said = [text, { at: text }];
        await call(teller, "date", {}, event, text);
        for (const inbox of inboxes) {
          // The client of Redis in Node publishes at any server of a cluster, so the second may come first.
          const heard = [await inbox.next(), await inbox.next()];
          heard.sort((one, other) => Buffer.isBuffer(one[2]) - Buffer.isBuffer(other[2]));
          // Behind them may be the name of an entry.
          assert.deepEqual(heard[0].slice(0, 2), said);
          assert.deepEqual(heard[1].slice(0, 3), [...said, Buffer.of(1)]);
        }
        await eventually(async () => assert.deepEqual(await call(other, "heard"), [["note", ...said]]));
      }
    }
  });
});

describe("rooms that are left and joined again", () => {
  it("hear what is sent once the last join is confirmed", async (t) => {
    // The reference itself loses a subscription now and then (SHD-07).
    const clients = await both(t, "/");
    const [a, b] = process.env.SECOND_KIND === "Rust" ? clients : clients.reverse();
    const room = fresh();
    for (let i = 0; i < 50; i++) {
      b.emit("join", room, () => {});
      b.emit("leave", room, () => {});
    }
    await join(t, b, room);
    const heard = new Inbox(b, "x");
    await eventually(async () => {
      await call(a, "tell", { rooms: [room] }, "x", 1);
      await call(a, "tell", { rooms: [b.id] }, "x", 2);
      const [first] = await heard.take(1);
      assert.equal(first, 1);
    });
  });
});

describe("an emitter of Node", { skip: ADAPTER !== "redis" }, () => {
  it("reaches the clients of both and the servers", async (t) => {
    const [a, b] = await both(t, "/custom");
    const [inA, inB] = [new Inbox(a, "x"), new Inbox(b, "x")];
    const [room, other] = [fresh(), fresh()];
    await Promise.all([join(t, a, room, "/custom"), join(t, b, room, "/custom"), call(b, "heard")]);
    const emitter = new Emitter(await redis(t), { key: PREFIX }).of("custom");
    emitter.emit("x", 1, Buffer.from([1, 2]));
    emitter.to(room).except(a.id).emit("x", 2);
    emitter.to(a.id).compress(false).emit("x", 3);
    assert.deepEqual(await inB.take(2), [1, 2]);
    assert.deepEqual(await inA.take(2), [1, 3]);
    emitter.in(room).socketsJoin([other]);
    for (const socket of [a, b]) {
      await eventually(async () => assert.deepEqual((await call(socket, "me")).rooms, [other, room].sort()));
    }
    emitter.serverSideEmit("note", "from outside");
    await eventually(async () => assert.deepEqual(await call(b, "heard"), [["note", "from outside"]]));
    const gone = [a, b].map((socket) => next(socket, "disconnect"));
    emitter.in(other).disconnectSockets();
    assert.deepEqual((await Promise.all(gone)).length, 2);
  });
});

describe("garbage on every channel", { skip: !process.env.GARBAGE }, () => {
  it("neither ends a node nor makes it deaf", async (t) => {
    const [a, b] = await both(t, "/");
    const room = fresh();
    await join(t, b, room);
    const own = await redis(t, PREFIX);
    const channels =
      ADAPTER === "redis"
        ? [
            `${PREFIX}#/#`,
            `${PREFIX}#/#${room}#`,
            `${PREFIX}#/#nobody#`,
            `${PREFIX}-request#/#`,
            `${PREFIX}-response#/#`,
            `${PREFIX}-server#`,
          ]
        : [`${PREFIX}#/#`, `${PREFIX}#/#${room}#`, `${PREFIX}-server#`];
    const command = ADAPTER === "redis-sharded" ? "SPUBLISH" : "PUBLISH";
    const types = [...Array(16).keys(), 101, 103];
    const texts = [
      "",
      "{",
      "null",
      "[]",
      "{}",
      `{"type":${"[".repeat(100_000)}`,
      ...types.flatMap((type) => [
        { type },
        { type, uid: "u", nsp: "/" },
        { type, uid: "u", nsp: "/", data: {} },
        { type, uid: "u", nsp: "/", data: { opts: 1, rooms: 2, packet: 3, requestId: 4 } },
        { type, uid: "u", requestId: "r", opts: {}, rooms: {}, data: ["connection"], packet: {} },
      ]).map((message) => JSON.stringify(message)),
    ];
    const payloads = [
      Buffer.from([0xc0]),
      Buffer.from([0xc1]),
      Buffer.from([0x93, 0xa1, 0x75, 0x80]),
      Buffer.from([0x92, 0xa1, 0x75, 0x80]),
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
      Buffer.alloc(100_000, 0x91),
      ...texts.map((text) => Buffer.from(text)),
    ];
    for (const channel of channels) {
      const owner = await redis(t, channel);
      await Promise.all(payloads.map((payload) => owner.sendCommand([command, channel, payload])));
    }
    if (ADAPTER === "redis-streams") {
      const data = [...payloads, ...payloads.map((payload) => payload.toString("base64")), '{"opts":{},"packet":[]}'];
      const entries = [
        ["k", "v"],
        ["nsp", "/"],
        ["nsp", "/", "type", "3"],
        ["uid", "u", "type", "3", "data", "{}"],
        ["uid", Buffer.from([0xff]), "nsp", Buffer.from([0xff]), "type", "x", "data", ""],
        ...data.flatMap((data) =>
          [...types, "three"].map((type) => ["uid", "u", "nsp", "/", "type", String(type), "data", data]),
        ),
      ];
      await Promise.all(entries.map((entry) => own.sendCommand(["XADD", PREFIX, "*", ...entry])));
    }
    const heard = new Inbox(b, "x");
    await call(a, "tell", { rooms: [room] }, "x", "room");
    await call(a, "tell", {}, "x", "all");
    assert.deepEqual(ordered(await heard.take(2)), ordered(["room", "all"]));
    assert.equal((await call(a, "fetch", { rooms: [b.id] })).error, null);
    assert.ok(a.connected && b.connected);
  });
});
