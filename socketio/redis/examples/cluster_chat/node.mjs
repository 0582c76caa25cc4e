// A node of the chat on Node's own socket.io: what main.rs does, in the same events, for the same page. PORT, HOST, NODE and
// REDIS_URL are as there. Its packages are looked for beside it, or in the folder that NODE_PACKAGES names.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { PORT = "3000", HOST = "127.0.0.1", NODE = "1", REDIS_URL = "redis://127.0.0.1" } = process.env;
const packages = process.env.NODE_PACKAGES;
const require = createRequire(packages ? `${packages}/` : import.meta.url);
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const page = readFileSync(new URL("index.html", import.meta.url));
const node = `node-${NODE}`;

const publisher = createClient({ url: REDIS_URL, pingInterval: 2_000 });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) {
  // Without a listener a lost connection ends the process.
  client.on("error", (error) => console.error(`redis: ${error.message || error.code}`));
}
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer((request, response) => {
  const found = request.url.split("?")[0] === "/";
  response.writeHead(found ? 200 : 404, { "content-type": "text/html; charset=utf-8" }).end(found ? page : "not here");
});
const io = new Server(http, { adapter: createAdapter(publisher, subscriber, { requestsTimeout: 2_000 }) });

io.on("connection", (socket) => {
  socket.emit("hello", { node });
  socket.on("enter", (name, ack) => {
    socket.data = { name, node };
    io.emit("changed");
    ack();
  });
  socket.on("say", (text, ack) => {
    if (socket.data.name) io.emit("said", { from: socket.data.name, node, text });
    ack();
  });
  socket.on("who", async (ack) => {
    let isComplete = true;
    const sockets = await io.fetchSockets().catch(() => {
      // What came in time is not told: there is nobody but one's own to show.
      isComplete = false;
      return io.local.fetchSockets();
    });
    const people = sockets.filter(({ data }) => data?.name).map(({ id, data }) => ({ id, ...data }));
    ack({ is_complete: isComplete, people });
  });
  socket.on("disconnect", () => socket.broadcast.emit("changed"));
});

http.listen(Number(PORT), HOST, () => console.error(`listening on http://${HOST}:${http.address().port}`));

for (const name of ["SIGTERM", "SIGINT"]) {
  process.once(name, () => {
    io.close();
    setTimeout(() => process.exit(0), 500);
  });
}
