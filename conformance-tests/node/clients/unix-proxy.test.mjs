// A server on a Unix socket, behind a proxy that it trusts.

import { it } from "node:test";
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { next } from "./support/inbox.mjs";
import { askOne, connected } from "./support/socket.mjs";

const url = process.env.FIXTURE_URL;

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  it(`sees the client, not what it claims to be, by ${transports}`, async (t) => {
    const extraHeaders = { "X-Forwarded-For": "192.0.2.6", "X-Forwarded-Proto": "https" };
    const client = io(url, { transports, extraHeaders, forceNew: true });
    t.after(() => client.disconnect());
    await connected(client);
    if (transports.length === 2 && client.io.engine.transport.name !== "websocket") {
      await next(client.io.engine, "upgrade");
    }
    assert.deepEqual(await askOne(client, "whence"), ["127.0.0.1", false]);

    // One session for each address, and it has one.
    const second = io(url, { transports: ["websocket"], forceNew: true, reconnection: false });
    t.after(() => second.disconnect());
    await next(second, "connect_error");
    client.disconnect();
    await released();
  });
}

/** Waits until the server has let the address go. */
async function released() {
  let status;
  while (status !== 200) {
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    status = response.status;
    const body = await response.text();
    if (status === 200) {
      const { sid } = JSON.parse(body.slice(1));
      await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: "POST", body: "1" });
    }
  }
}
