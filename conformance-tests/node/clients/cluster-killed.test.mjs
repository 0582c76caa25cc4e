// A master of a Redis Cluster is killed. With a replica that takes its place all goes on by itself. Without one, what no other server can
// do waits until it is back; the nodes serve their own clients meanwhile.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { it } from "node:test";
import assert from "node:assert/strict";
import { ADAPTER, PREFIX, REDIS, alone, call, client, connection, eventually, join, ownerOf, redis, works } from "./support/cluster.mjs";

const SERVERS = JSON.parse(process.env.REDIS_SERVERS);
const HAS_REPLICAS = Object.keys(SERVERS).length > 3;
const KEY = ADAPTER === "redis-streams" ? PREFIX : `${PREFIX}#/#`;

it("a master that is killed", async (t) => {
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await join(t, b, "old");
  await works(a, b, "old");
  const url = await ownerOf(await redis(t), KEY);
  const another = await connection(t, REDIS.find((other) => other !== url));
  const master = await connection(t, url);
  await master.sendCommand(["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]).catch(() => {});
  if (!HAS_REPLICAS && ADAPTER !== "redis") {
    await alone(a);
    const server = spawn("redis-server", SERVERS[new URL(url).port], { stdio: "ignore" });
    const ended = once(server, "exit");
    t.after(() => {
      server.kill("SIGKILL");
      return ended;
    });
  }
  await works(a, b, "old");
  await works(b, a, a.id);
  const room = "a room that is new";
  await call(b, "join", room);
  await works(a, b, room);
  if (HAS_REPLICAS && ADAPTER !== "redis") {
    await eventually(async () => assert.notEqual(await ownerOf(another, KEY), url));
  }
});
