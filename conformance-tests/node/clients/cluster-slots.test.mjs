// Slots of a Redis Cluster move from server to server while both nodes go on. Nothing comes twice or out of order; entries of a stream all
// come, and what is on a sharded channel comes again once its slot has settled.

import { it } from "node:test";
import assert from "node:assert/strict";
import { ADAPTER, PREFIX, REDIS, call, client, connection, eventually, join, works } from "./support/cluster.mjs";
import { Inbox } from "./support/inbox.mjs";

/** All servers, by their ids. */
async function servers(t) {
  const all = await Promise.all(REDIS.map((url) => connection(t, url)));
  const ids = await Promise.all(all.map((server) => server.sendCommand(["CLUSTER", "MYID"])));
  return ids.map((id, index) => ({ id, port: new URL(REDIS[index]).port, say: (...words) => all[index].sendCommand(words) }));
}

/** Gives the slot of a key to another server. `halfway` is called when that has the keys, and not yet the slot. */
async function move(all, key, halfway = () => {}) {
  const slot = String(await all[0].say("CLUSTER", "KEYSLOT", key));
  const nodes = await all[0].say("CLUSTER", "SLOTS");
  const [, , [, port]] = nodes.find(([from, to]) => from <= slot && slot <= to);
  const index = all.findIndex((server) => server.port === String(port));
  const [from, to] = [all[index], all[(index + 1) % all.length]];
  await to.say("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
  await from.say("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
  for (let keys; (keys = await from.say("CLUSTER", "GETKEYSINSLOT", slot, "100")).length > 0; ) {
    await from.say("MIGRATE", "127.0.0.1", to.port, "", "0", "5000", "KEYS", ...keys);
  }
  await halfway();
  for (const server of [to, from, ...all]) {
    await server.say("CLUSTER", "SETSLOT", slot, "NODE", to.id);
  }
}

const KEYS = ADAPTER === "redis-streams" ? [PREFIX, PREFIX] : [`${PREFIX}#/#`, `${PREFIX}#/#old#`, `${PREFIX}#/#`];

it("slots that move", async (t) => {
  const all = await servers(t);
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await join(t, b, "old");
  await works(a, b, "old");
  for (const key of KEYS) {
    await move(all, key, () => works(a, b, "old"));
    await works(a, b, "old");
    await works(b, a, a.id);
    const room = `after ${key}`;
    await join(t, b, room);
    await works(a, b, room);
  }
});

it("a slot that moves while there is much to say", async (t) => {
  const all = await servers(t);
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await works(a, b, b.id);
  const heard = new Inbox(b, "n");
  const came = [];
  let sent = 0;
  let isMoving = true;
  const telling = (async () => {
    while (isMoving) {
      await call(a, "tell", {}, "n", sent++);
    }
  })();
  for (const key of KEYS) {
    await move(all, key);
  }
  await works(a, b, b.id);
  isMoving = false;
  await telling;
  await eventually(async () => {
    await call(a, "tell", {}, "n", "end");
    came.push(...(await heard.take(heard.size)));
    assert.ok(came.includes("end"));
  });
  const numbers = came.filter((number) => number !== "end");
  assert.deepEqual(numbers, [...new Set(numbers)].sort((one, other) => one - other));
  // Of a sharded channel what was said before it was subscribed anew is lost.
  if (ADAPTER !== "redis-sharded") {
    assert.deepEqual(numbers, [...Array(sent).keys()]);
  }
  assert.ok(numbers.length > 0);
});
