import { it } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { next } from "../clients/support/inbox.mjs";
import { askOne, connected } from "../clients/support/socket.mjs";
import { open, url } from "./support.mjs";

const ca = await readFile(process.env.ROOT_CERTIFICATE);
const { port } = new URL(url);
// The name that the certificate is for.
const host = `https://localhost:${port}`;

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  it(`serves clients over TLS, by ${transports}`, async (t) => {
    const client = open(t, { url: host, ca, transports });
    await connected(client);
    assert.equal(await askOne(client, "secure"), true);
    if (transports.length === 2 && client.io.engine.transport.name !== "websocket") {
      await next(client.io.engine, "upgrade");
    }
    assert.equal(await askOne(client, "secure"), true);
  });
}

it("agrees on HTTP/1.1, and is not trusted by who does not know its root", async (t) => {
  const stream = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca, ALPNProtocols: ["h2", "http/1.1"] });
  t.after(() => stream.destroy());
  await once(stream, "secureConnect");
  assert.equal(stream.alpnProtocol, "http/1.1");

  const [error] = await next(open(t, { url: host, transports: ["websocket"], reconnection: false }), "connect_error");
  assert.equal(error.message, "websocket error");
});
