// Redis is stopped, started anew, and hangs. Both nodes serve their own clients meanwhile, and find each other again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { it } from "node:test";
import { alone, call, client, join, redis, works } from "./support/cluster.mjs";

const PORT = new URL(process.env.REDIS_URL).port;

/** Starts a Redis where the last one was; it ends with test `t`. */
function start(t) {
  const server = spawn("redis-server", ["--port", PORT, "--save", "", "--bind", "127.0.0.1"], { stdio: "ignore" });
  const ended = once(server, "exit");
  t.after(() => {
    server.kill("SIGKILL");
    return ended;
  });
  return server;
}

it("a stopped Redis", async (t) => {
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await join(t, b, "old");
  await works(a, b, "old");
  await (await redis(t)).sendCommand(["SHUTDOWN", "NOSAVE"]).catch(() => {});
  await alone(a);
  start(t);
  await works(a, b, "old");
  await works(b, a, a.id);
});

it("a Redis that hangs", async (t) => {
  const server = start(t);
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await call(b, "join", "old");
  await works(a, b, "old");
  server.kill("SIGSTOP");
  await alone(a);
  server.kill("SIGCONT");
  await works(a, b, "old");
  await works(b, a, a.id);
});
