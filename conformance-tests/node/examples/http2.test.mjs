import { it } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { next } from "../clients/support/inbox.mjs";
import { askOne, connected } from "../clients/support/socket.mjs";
import { open, url } from "./support.mjs";

const ca = await readFile(process.env.ROOT_CERTIFICATE);
// The name that the certificate is for.
const host = `https://localhost:${new URL(url).port}`;

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  it(`serves clients that speak HTTP/1.1 only, by ${transports}`, async (t) => {
    const client = open(t, { url: host, ca, transports });
    await connected(client);
    if (transports.length === 2 && client.io.engine.transport.name !== "websocket") {
      await next(client.io.engine, "upgrade");
    }
    assert.equal(await askOne(client, "echo", "€"), "€");
  });
}
