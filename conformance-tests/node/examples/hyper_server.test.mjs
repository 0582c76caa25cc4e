import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox, next } from "../clients/support/inbox.mjs";
import { connected } from "../clients/support/socket.mjs";
import { open, url } from "./support.mjs";

it("answers plain requests and clients at one address", async (t) => {
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = open(t, { transports });
    const greetings = new Inbox(client, "hello");
    await connected(client);
    assert.deepEqual(await greetings.take(1), ["from behind hyper"]);
    if (transports.length === 2 && client.io.engine.transport.name !== "websocket") {
      await next(client.io.engine, "upgrade");
    }
    assert.equal(await (await fetch(`${url}/health`)).text(), "1 connected\n");
    client.disconnect();
    await gone();
  }
});

it("lets its clients go when it is told to end", async (t) => {
  const client = open(t, { transports: ["websocket"], reconnection: false });
  await connected(client);
  const left = next(client, "disconnect");
  process.kill(Number(process.env.EXAMPLE_PID), "SIGINT");
  assert.equal((await left)[0], "transport close");
});

/** Resolves when the server has noticed that everyone left. */
async function gone() {
  while ((await (await fetch(`${url}/health`)).text()) !== "0 connected\n");
}
