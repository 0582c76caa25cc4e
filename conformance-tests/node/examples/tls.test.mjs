import { it } from "node:test";
import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { next } from "../clients/support/inbox.mjs";
import { askOne, connected } from "../clients/support/socket.mjs";
import { open, url } from "./support.mjs";

const file = (name) => join(process.env.FOLDER, name);
const ca = await readFile(file("root.pem"));
const { port } = new URL(url);
// The name that the certificate is for.
const host = `https://localhost:${port}`;

/** A connection of TLS alone. */
async function shake(t, protocols) {
  const stream = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca, ALPNProtocols: protocols });
  t.after(() => stream.destroy());
  await once(stream, "secureConnect");
  return stream;
}

/** Has the server read its files again, until it shows this name. */
async function renewed(t, name) {
  process.kill(Number(process.env.EXAMPLE_PID), "SIGHUP");
  let shown;
  while (shown !== name) {
    const stream = await shake(t, ["http/1.1"]);
    shown = stream.getPeerCertificate().subject.CN;
    stream.destroy();
  }
}

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
  assert.equal((await shake(t, ["h2", "http/1.1"])).alpnProtocol, "http/1.1");

  const [error] = await next(open(t, { url: host, transports: ["websocket"], reconnection: false }), "connect_error");
  assert.equal(error.message, "websocket error");
});

it("shows a renewed certificate to new clients, and keeps the old ones", async (t) => {
  const before = open(t, { url: host, ca, transports: ["websocket"] });
  await connected(before);
  assert.equal((await shake(t, ["http/1.1"])).getPeerCertificate().subject.CN, "first");

  // Half a file is worth nothing, and changes nothing.
  await writeFile(file("chain.pem"), "-----BEGIN CERTIFICATE-----\n");
  process.kill(Number(process.env.EXAMPLE_PID), "SIGHUP");
  assert.equal((await shake(t, ["http/1.1"])).getPeerCertificate().subject.CN, "first");

  await rename(file("renewed.key.pem"), file("key.pem"));
  await rename(file("renewed.chain.pem"), file("chain.pem"));
  await renewed(t, "second");
  assert.equal(await askOne(before, "secure"), true);
  const after = open(t, { url: host, ca, transports: ["websocket"] });
  await connected(after);
  assert.equal(await askOne(after, "secure"), true);
});
