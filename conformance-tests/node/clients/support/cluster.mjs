// Clients of two nodes of a cluster, and the Redis between them.

import assert from "node:assert/strict";
import { createClient } from "redis";
import { Inbox, within } from "./inbox.mjs";
import { connect, v4 } from "./socket.mjs";

export const ADAPTER = process.env.ADAPTER;
export const PREFIX = process.env.PREFIX ?? "socket.io";
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

/** The addresses of the Redis between the nodes: several are of a cluster. */
export const REDIS = process.env.REDIS_URL.split(",");

/** A connection to one Redis server, which gives up with test `t`. */
export async function connection(t, url) {
  const own = createClient({ url });
  own.on("error", () => {});
  await own.connect();
  t.after(() => own.destroy());
  return own;
}

/** A connection to the Redis between the nodes, which gives up with test `t`: of a cluster to whoever has a key. */
export async function redis(t, key = "") {
  const first = await connection(t, REDIS[0]);
  return REDIS.length === 1 ? first : connection(t, await ownerOf(first, key));
}

/** The address of the server of a cluster that has a key, as another says. */
export async function ownerOf(server, key) {
  const slot = await server.sendCommand(["CLUSTER", "KEYSLOT", key]);
  const ranges = await server.sendCommand(["CLUSTER", "SLOTS"]);
  const [, , [host, port]] = ranges.find(([from, to]) => from <= slot && slot <= to);
  return `redis://${host}:${port}`;
}

/** Has a client join a room, and waits until its node is told of it: that is no part of joining. */
export async function join(t, socket, room, nsp = "/") {
  await call(socket, "join", room);
  if (ADAPTER === "redis-sharded") {
    const channel = `${PREFIX}#${nsp}#${room}#`;
    const own = await redis(t, channel);
    await eventually(async () => {
      const [, count] = await own.sendCommand(["PUBSUB", "SHARDNUMSUB", channel]);
      if (Number(count) === 0) {
        throw new Error(`nobody is subscribed to ${room}`);
      }
    });
  }
}

/** A room from before is heard on the other node, and questions are answered in full. */
export async function works(from, to, room) {
  const heard = new Inbox(to, "x");
  await eventually(async () => {
    await call(from, "tell", { rooms: [room] }, "x", 1);
    const { error, sockets } = await call(from, "fetch", {});
    assert.equal(error, null);
    assert.deepEqual(sockets.map(({ id }) => id).sort(), [from.id, to.id].sort());
    assert.notEqual(heard.size, 0);
    assert.equal(await call(from, "count"), 2);
  });
}

/** Own clients are served, and questions end. */
export async function alone(socket) {
  const heard = new Inbox(socket, "own");
  await eventually(async () => {
    const { error, sockets } = await call(socket, "fetch", { rooms: [socket.id] });
    assert.notEqual(error, null);
    assert.deepEqual(sockets.map(({ id }) => id), [socket.id]);
  });
  await call(socket, "tell", { rooms: [socket.id] }, "own", 1);
  await call(socket, "join", "meanwhile");
  await call(socket, "tell", { rooms: ["meanwhile"] }, "own", 2);
  assert.deepEqual(await heard.take(2), [1, 2]);
  const { error } = await call(socket, "serverside-ask", "note-ack", 1);
  assert.notEqual(error, null);
}
