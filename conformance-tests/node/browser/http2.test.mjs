// The example `http2` in a real Chromium: the page, long-polling and all WebSockets on one connection of HTTP/2.

import { after, before, it } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { launch } from "./chromium.mjs";

const host = `https://localhost:${new URL(process.env.EXAMPLE_URL).port}`;
const client = join(dirname(createRequire(import.meta.url).resolve("socket.io-client")), "../../dist/socket.io.js");

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** A page that has the official client, and does not know whom to trust. */
async function open(t) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(host);
  await page.addScriptTag({ path: client });
  return page;
}

/** What the requests were. */
const spoken = (page) => page.evaluate(async () => (await (await fetch("/spoken")).text()).trim().split("\n"));

it("opens a WebSocket by extended CONNECT on the page's connection", async (t) => {
  const page = await open(t);
  const shown = page.locator("#spoken");
  await shown.filter({ hasText: "/spoken" }).waitFor();
  assert.match(await shown.textContent(), /^HTTP\/2\.0 CONNECT \/socket\.io\/ websocket$/m);
});

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  it(`has rooms and acknowledgements, by ${transports}`, async (t) => {
    const page = await open(t);
    const before = (await spoken(page)).length;
    const heard = await page.evaluate(async (transports) => {
      const connected = async () => {
        const socket = io({ transports, forceNew: true });
        await new Promise((resolve, reject) => {
          socket.on("connect", resolve);
          socket.on("connect_error", reject);
        });
        const { engine } = socket.io;
        if (transports.length === 2 && engine.transport.name !== "websocket") {
          await new Promise((resolve) => engine.once("upgrade", resolve));
        }
        return socket;
      };
      const [one, two, outside] = [await connected(), await connected(), await connected()];
      const missed = [];
      outside.on("said", (text) => missed.push(text));
      await one.emitWithAck("join", "room");
      await two.emitWithAck("join", "room");
      const heard = [one, two].map((socket) => new Promise((resolve) => socket.once("said", resolve)));
      await one.emitWithAck("say", "room", "€ to the room");
      const said = await Promise.all(heard);
      const long = "x".repeat(300_000);
      const echoed = (await two.emitWithAck("echo", long)) === long;
      // It is in order behind whatever it might have heard.
      await outside.emitWithAck("echo", "");
      const names = [one, two, outside].map((socket) => socket.io.engine.transport.name);
      [one, two, outside].forEach((socket) => socket.disconnect());
      return { said, echoed, missed, names };
    }, transports);
    const name = transports.at(-1);
    assert.deepEqual(heard, {
      said: ["€ to the room", "€ to the room"],
      echoed: true,
      missed: [],
      names: [name, name, name],
    });
    const requests = (await spoken(page)).slice(before).filter((line) => line.includes("/socket.io/"));
    assert.ok(requests.every((line) => line.startsWith("HTTP/2.0 ")), requests.join("\n"));
    const websockets = requests.filter((line) => line === "HTTP/2.0 CONNECT /socket.io/ websocket");
    // The page has one of its own, which may come at any time.
    assert.ok(name === "polling" ? websockets.length <= 1 : websockets.length >= 3, requests.join("\n"));
  });
}
