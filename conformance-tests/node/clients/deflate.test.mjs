// ws with whatever it can offer of permessage-deflate, and Chromium, against profile `socket` with DEFLATE_THRESHOLD=64. With
// DEFLATE_CONTEXT the server compresses with what it sent before.

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { launch } from "../browser/chromium.mjs";
import { isReference, url, ways } from "./support/fixture.mjs";
import { Inbox } from "./support/inbox.mjs";
import { ask, connect, v4 } from "./support/socket.mjs";

const keepsContext = process.env.DEFLATE_CONTEXT !== undefined;

const OFFERS = {
  "what it offers by itself": {},
  "no context of the server": { serverNoContextTakeover: true },
  "no context of its own": { clientNoContextTakeover: true },
  "no context": { serverNoContextTakeover: true, clientNoContextTakeover: true },
  "a small window of the server": { serverMaxWindowBits: 9 },
  "a small window of its own": { clientMaxWindowBits: 9 },
  "small windows": { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
};

/** Text that is neither all the same nor noise: numbers from `seed` on. */
function text(length, seed = 0) {
  let made = "";
  for (let number = seed; made.length < length; number++) {
    made += `{"id":${number * number},"name":"n${number % 7}"},`;
  }
  return made.slice(0, length);
}

const noise = (length) => Buffer.from(Array.from({ length }, (_, n) => (n * n * 31 + (n >> 3)) & 0xff));

/** Around the threshold, the windows, and what a server keeps; the same again, and what shares its end with the one before. */
const MESSAGES = [
  "", "x", text(40), text(41), text(42), text(600), text(600), text(600, 3), text(5_000), text(5_000), text(600),
  text(33_000), text(33_000), text(40_000, 5), text(33_000), text(300_000), "€😀".repeat(5_000), text(600),
];

const BINARY = [Buffer.alloc(0), Buffer.alloc(63, 1), Buffer.alloc(64, 1), Buffer.alloc(100_000, 2), noise(1_000), noise(70_000)];

for (const [name, offer] of Object.entries(OFFERS)) {
  describe(`ws with ${name}`, () => {
    const open = (t) => connect(t, v4, url, { ...ways.WebSocket, perMessageDeflate: { threshold: 16, ...offer } });

    it("has agreed", async (t) => {
      const client = await open(t);
      const agreed = client.io.engine.transport.ws.extensions;
      assert.match(agreed, /permessage-deflate/);
    });

    it("gets back what it says", async (t) => {
      const client = await open(t);
      for (const message of [...MESSAGES, ...BINARY, ...MESSAGES]) {
        assert.deepEqual(await ask(client, "message-with-ack", message, { message }), [message, { message }]);
      }
    });

    it("gets back all that it says at once, in order", async (t) => {
      const client = await open(t);
      const back = new Inbox(client, "message-back");
      const said = [...MESSAGES, ...BINARY, ...MESSAGES];
      said.forEach((message) => client.emit("message", message));
      for (const message of said) {
        assert.deepEqual(await back.next(), [message]);
      }
    });
  });
}

it("tells every client the same, whatever it agreed on", async (t) => {
  const offers = [...Object.values(OFFERS), false, ...Object.values(OFFERS)];
  const inboxes = [];
  let sender;
  for (const perMessageDeflate of offers) {
    sender = await connect(t, v4, url, { ...ways.WebSocket, perMessageDeflate });
    inboxes.push(new Inbox(sender, "broadcast"));
  }
  sender = await connect(t, v4, url, ways.polling);
  inboxes.push(new Inbox(sender, "broadcast"));
  for (const message of [...MESSAGES, ...BINARY]) {
    sender.emit("broadcast", message);
    for (const inbox of inboxes) {
      assert.deepEqual(await inbox.next(), [message]);
    }
  }
});

it("keeps no context unless it was told to", { skip: isReference && "the reference does" }, async (t) => {
  const client = await connect(t, v4, url, { ...ways.WebSocket, perMessageDeflate: {} });
  const agreed = client.io.engine.transport.ws.extensions;
  assert.equal(agreed.includes("permessage-deflate"), true);
  const params = client.io.engine.transport.ws._extensions["permessage-deflate"].params;
  assert.equal(params.server_no_context_takeover === true, !keepsContext);
});

it("is understood by Chromium", async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const sizes = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => sizes.push(payload.length)));
  await page.addScriptTag({
    path: join(dirname(createRequire(import.meta.url).resolve("socket.io-client")), "../../dist/socket.io.js"),
  });
  const heard = await page.evaluate(
    async ({ url, messages }) => {
      const socket = io(url, { transports: ["websocket"] });
      await new Promise((resolve, reject) => {
        socket.on("connect", resolve);
        socket.on("connect_error", reject);
      });
      const heard = [];
      for (const message of messages) {
        heard.push(await new Promise((resolve) => socket.emit("message-with-ack", message, resolve)));
      }
      // The same at once, and back as binary.
      const all = messages.map((message) => new Promise((resolve) => {
        const bytes = new TextEncoder().encode(message);
        socket.emit("message-with-ack", bytes, (back) => resolve(new TextDecoder().decode(back)));
      }));
      return [heard, await Promise.all(all)];
    },
    { url, messages: MESSAGES },
  );
  assert.deepEqual(heard, [MESSAGES, MESSAGES]);
  assert.ok(sizes.length > MESSAGES.length);
});
