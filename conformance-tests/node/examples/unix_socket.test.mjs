import { it } from "node:test";
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { io } from "socket.io-client";
import { askOne, connected } from "../clients/support/socket.mjs";
import { connect } from "./support.mjs";

for (const transports of [["polling"], ["websocket"]]) {
  it(`serves a Unix socket and a port, by ${transports}`, async (t) => {
    const agent = new Agent({ socketPath: process.env.UNIX_SOCKET });
    const near = io("http://localhost", { agent, transports, forceNew: true });
    t.after(() => near.disconnect());
    await connected(near);
    assert.equal(await askOne(near, "whence"), "a Unix socket");
    assert.equal(await askOne(await connect(t, { transports }), "whence"), "127.0.0.1");
  });
}
