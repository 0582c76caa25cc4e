// A sentinel makes another server the master, since it is told to and since the master is gone. Both nodes follow.

import { it } from "node:test";
import assert from "node:assert/strict";
import { ADAPTER, call, client, connection, eventually, REDIS, works } from "./support/cluster.mjs";
import { Inbox } from "./support/inbox.mjs";

/** The address of the master, as the sentinel says. */
async function master(sentinel) {
  const [host, port] = await sentinel.sendCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "watched"]);
  return `redis://${host}:${port}`;
}

it("another master", async (t) => {
  const sentinel = await connection(t, REDIS[0]);
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await call(b, "join", "old");
  await works(a, b, "old");
  const first = await master(sentinel);
  await eventually(() => sentinel.sendCommand(["SENTINEL", "FAILOVER", "watched"]));
  await eventually(async () => assert.notEqual(await master(sentinel), first));
  await works(a, b, "old");
  await works(b, a, a.id);
  // Only a replica that has what its master has may take its place.
  const replica = await connection(t, first);
  await eventually(async () => assert.equal((await replica.sendCommand(["ROLE"]))[3], "connected"));
  const second = await master(sentinel);
  const own = await connection(t, second);
  await own.sendCommand(["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]).catch(() => {});
  await eventually(async () => assert.equal(await master(sentinel), first));
  await works(a, b, "old");
  await works(b, a, a.id);
  // What is said is said to the master: a replica would tell nobody, or take nothing.
  const heard = new Inbox(b, "n");
  await call(a, "tell", {}, "n", 1);
  assert.deepEqual(await heard.take(1), [1]);
  const [role] = await replica.sendCommand(["ROLE"]);
  const clients = await replica.sendCommand(["CLIENT", "LIST"]);
  const spoken = { redis: "publish", "redis-sharded": "spublish", "redis-streams": "xadd" }[ADAPTER];
  assert.equal(role, "master");
  assert.ok(clients.includes(`cmd=${spoken}`) || clients.includes("cmd=ping"), clients);
});
