// Clients of two nodes of a cluster, and the Redis between them.

import { createClient } from "redis";
import { within } from "./inbox.mjs";
import { connect, v4 } from "./socket.mjs";

export const ADAPTER = process.env.ADAPTER;
export const PREFIX = process.env.PREFIX ?? "socket.io";
const REDIS = process.env.REDIS_URL;
const PATIENCE_MS = 20_000;

/** A client of the first node, or of the second, in a namespace. */
export const client = (t, index, nsp = "/", options = {}) =>
  connect(t, v4, `http://${process.env[index === 0 ? "FIRST" : "SECOND"]}${nsp}`, {
    transports: ["websocket"],
    ...options,
  });

/** What a node answers to an event: its one argument. */
export const call = (socket, ...event) =>
  within(`an answer to ${event[0]}`, (resolve, reject) =>
    socket.timeout(PATIENCE_MS).emit(...event, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

/** Tries until it does not throw. */
export async function eventually(attempt) {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A connection to the Redis between the nodes, which gives up with test `t`. */
export async function redis(t) {
  const own = createClient({ url: REDIS });
  own.on("error", () => {});
  await own.connect();
  t.after(() => own.destroy());
  return own;
}

/** Has a client join a room, and waits until its node is told of it: that is no part of joining. */
export async function join(t, socket, room, nsp = "/") {
  await call(socket, "join", room);
  if (ADAPTER === "redis-sharded") {
    const own = await redis(t);
    await eventually(async () => {
      const [, count] = await own.sendCommand(["PUBSUB", "SHARDNUMSUB", `${PREFIX}#${nsp}#${room}#`]);
      if (Number(count) === 0) {
        throw new Error(`nobody is subscribed to ${room}`);
      }
    });
  }
}
