// The first node ends, as `SIGNAL` says, and a client of it comes to the second: with its id, its rooms and its data, and it gets
// every event that it missed once and in order.

import { it } from "node:test";
import assert from "node:assert/strict";
import { call, client, eventually, redis } from "./support/cluster.mjs";
import { Inbox, next } from "./support/inbox.mjs";

const SESSIONS = process.env.SESSION_PREFIX ?? "sio:session:";
const ROOM = "a room";
const DATA = { status: "away", n: [1.5] };

const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

it("a client comes back elsewhere", async (t) => {
  const [a, b] = await Promise.all([client(t, 0, "/", { reconnection: false }), client(t, 1)]);
  const heard = new Inbox(a, "n");
  const { id } = a;
  await call(a, "data", DATA);
  await call(a, "join", ROOM);
  await call(a, "join", "left");
  await call(a, "leave", "left");
  const tell = async (from, to) => {
    for (const i of numbers(from, to)) {
      // Also what is not for it, in and out of its namespace.
      await call(b, "tell", { except: [ROOM] }, "n", "not for it");
      await call(b, "tell", { rooms: ["left"] }, "n", "left");
      await call(b, "tell", i % 2 ? { rooms: [ROOM] } : {}, "n", i, Buffer.from([i]));
    }
  };
  await tell(0, 10);
  assert.deepEqual(await heard.take(10), numbers(0, 10));
  const key = SESSIONS + a._pid;
  const own = await redis(t, key);
  if (process.env.SIGNAL === "SIGKILL") {
    // Nobody can say good-bye: it is in Redis while its client is there.
    await eventually(async () => {
      const kept = Buffer.from(await own.get(key), "base64");
      assert.ok(kept.includes(ROOM) && kept.includes("away") && !kept.includes("left"));
    });
  }
  const gone = next(a, "disconnect");
  process.kill(Number(process.env.FIRST_PID), process.env.SIGNAL);
  await gone;
  await tell(10, 150);
  assert.equal(await own.exists(key), 1);
  if (process.env.SECOND_KIND === "Rust") {
    // Whoever names what is not in the stream, or comes to another namespace, gets nothing and takes nothing away. With the
    // reference it is gone then, and its sessions do not say their namespace (STR-06).
    const claims = [
      ["/", `${Date.now() * 2}-0`],
      ["/", "x"],
      ...(process.env.FIRST_KIND === "Rust" ? [["/custom", a._lastOffset]] : []),
    ];
    for (const [nsp, offset] of claims) {
      const stranger = await client(t, 1, nsp, { auth: { pid: a._pid, offset } });
      assert.notEqual(stranger.id, id);
    }
    assert.equal(await own.exists(key), 1);
  }
  a.io.uri = `http://${process.env.SECOND}`;
  const back = next(a, "connect");
  a.connect();
  await back;
  assert.deepEqual([a.recovered, a.id], [true, id]);
  await tell(150, 160);
  assert.deepEqual(await heard.take(150), numbers(10, 160));
  const { rooms, data } = await call(a, "me");
  assert.deepEqual({ rooms, data }, { rooms: [ROOM], data: DATA });
  const { sockets } = await call(b, "fetch", { rooms: [ROOM] });
  assert.deepEqual(sockets.map((socket) => socket.id), [id]);
  assert.equal(heard.size, 0);
});
