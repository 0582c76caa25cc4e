// The connection over which a node reads the stream, and the one over which it writes, are cut again and again.

import { it } from "node:test";
import assert from "node:assert/strict";
import { call, client, eventually, redis } from "./support/cluster.mjs";
import { Inbox } from "./support/inbox.mjs";

const COUNT = 400;

/** Cuts every connection whose last command is this, when there are as many. One that comes back late must find the others there. */
async function cut(own, command, count) {
  const clients = await own.sendCommand(["CLIENT", "LIST"]);
  const ids = clients.split("\n").filter((line) => line.includes(` cmd=${command} `)).map((line) => /^id=(\d+)/.exec(line)[1]);
  assert.ok(ids.length >= count, `${ids.length} connections`);
  await Promise.all(ids.map((id) => own.sendCommand(["CLIENT", "KILL", "ID", id]).catch(() => {})));
}

it("readers that are cut off", async (t) => {
  const own = await redis(t);
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  const inboxes = [a, b].map((socket) => new Inbox(socket, "n"));
  for (let i = 0; i < COUNT; i++) {
    await call(a, "tell", {}, "n", i);
    if (i % 50 === 25) {
      await eventually(() => cut(own, "xread", 2));
    }
  }
  for (const inbox of inboxes) {
    assert.deepEqual(await inbox.take(COUNT), [...Array(COUNT).keys()]);
  }
  await call(a, "tell", {}, "n", "last");
  for (const inbox of inboxes) {
    assert.deepEqual(await inbox.take(1), ["last"]);
    assert.equal(inbox.size, 0);
  }
});

it("writers that are cut off, whose own clients hear all once", async (t) => {
  const own = await redis(t);
  const a = await client(t, 0);
  const heard = new Inbox(a, "n");
  for (let i = 0; i < COUNT; i++) {
    a.emit("tell", {}, "n", i, () => {});
    if (i % 50 === 25) {
      await eventually(async () => {
        // Or it may have done something else since.
        await call(a, "tell", {}, "wake");
        await cut(own, "xadd", 1);
      });
    }
  }
  const all = await heard.take(COUNT);
  // What is given to own clients since Redis is away overtakes what was on its way.
  assert.deepEqual([...all].sort((one, other) => one - other), [...Array(COUNT).keys()]);
  await eventually(async () => {
    await call(a, "tell", {}, "n", "last");
    assert.equal((await call(a, "fetch", {})).error, null);
  });
  const rest = await heard.take(1);
  assert.deepEqual(rest, ["last"]);
});
