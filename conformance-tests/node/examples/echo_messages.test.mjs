import { it } from "node:test";
import assert from "node:assert/strict";
import { Socket } from "engine.io-client";
import { url } from "./support.mjs";

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  it(`sends every message back by ${transports.join(", then ")}`, async (t) => {
    const client = new Socket(url, { transports });
    t.after(() => client.close());
    client.binaryType = "arraybuffer";
    const sent = ["text", "\u00e4 \u{1f600}", new Uint8Array([1, 2, 3]).buffer];
    const heard = [];
    await new Promise((resolve, reject) => {
      client.on("close", (reason) => reject(new Error(reason)));
      client.on("message", (message) => {
        heard.push(message);
        if (heard.length === sent.length) {
          resolve();
        }
      });
      client.on("open", () => sent.forEach((message) => client.send(message)));
    });
    assert.deepEqual(heard, sent);
  });
}
