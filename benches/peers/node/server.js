// The `socket` and `engine` profiles of FIXTURE.md on socket.io, on Node.js with ws.
"use strict";

const { readFileSync } = require("node:fs");
const { Server } = require("socket.io");
const { attach } = require("./node_modules/engine.io");

const options = {
  pingInterval: Number(process.env.PING_INTERVAL ?? 25000),
  pingTimeout: Number(process.env.PING_TIMEOUT ?? 20000),
  cors: { origin: "*" },
};
const { TLS_CHAIN, TLS_KEY, DEFLATE_THRESHOLD } = process.env;
if (DEFLATE_THRESHOLD) {
  options.perMessageDeflate = { threshold: Number(DEFLATE_THRESHOLD) };
}
const http = TLS_CHAIN
  ? require("node:https").createServer({ cert: readFileSync(TLS_CHAIN), key: readFileSync(TLS_KEY) })
  : require("node:http").createServer();

attach(http, { ...options, path: "/engine.io/", destroyUpgrade: false }).on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});

const io = new Server(http, { ...options, destroyUpgrade: false });

function onConnection(socket) {
  if (!process.env.NO_AUTH_EVENT) socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("leave", (room, ack) => {
    socket.leave(room);
    ack();
  });
  socket.on("broadcast", (x) => io.of(socket.nsp.name).emit("broadcast", x));
  socket.on("roomcast", (room, x) => socket.nsp.to(room).emit("broadcast", x));
}

io.on("connection", onConnection);
io.of("/custom").on("connection", onConnection);

http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", 4096, () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`);
});
process.on("SIGTERM", () => process.exit(0));
