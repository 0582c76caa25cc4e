// Redis, or NATS, is stopped, started anew, and hangs. Both nodes serve their own clients meanwhile, and find each other again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { it } from "node:test";
import { ADAPTER, alone, call, client, join, redis, works } from "./support/cluster.mjs";

const PORT = new URL(process.env.REDIS_URL).port;

const [PROGRAM, ...ARGUMENTS] =
  ADAPTER === "nats"
    ? ["nats-server", "--port", PORT, "--addr", "127.0.0.1"]
    : ["redis-server", "--port", PORT, "--save", "", "--bind", "127.0.0.1"];

/** Starts a broker where the last one was; it ends with test `t`. */
function start(t) {
  // Where Debian has nats-server, and where not everybody looks.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const server = spawn(PROGRAM, ARGUMENTS, { stdio: "ignore", env });
  const ended = once(server, "exit");
  t.after(() => {
    server.kill("SIGKILL");
    return ended;
  });
  return server;
}

/** Ends the one that was there before this script. */
async function stop(t) {
  if (process.env.BUS_PID) {
    process.kill(Number(process.env.BUS_PID), "SIGKILL");
  } else {
    await (await redis(t)).sendCommand(["SHUTDOWN", "NOSAVE"]).catch(() => {});
  }
}

it("a stopped broker", async (t) => {
  const [a, b] = await Promise.all([client(t, 0), client(t, 1)]);
  await join(t, b, "old");
  await works(a, b, "old");
  await stop(t);
  await alone(a);
  start(t);
  await works(a, b, "old");
  await works(b, a, a.id);
});

it("a broker that hangs", async (t) => {
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
