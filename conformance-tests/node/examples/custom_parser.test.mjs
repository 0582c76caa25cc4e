import { it } from "node:test";
import assert from "node:assert/strict";
import WebSocket from "ws";
import { Inbox } from "../clients/support/inbox.mjs";
import { url } from "./support.mjs";

it("talks in lines", async (t) => {
  const client = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => client.close());
  const received = new Inbox(client, "message");
  const line = async () => String((await received.next())[0]);
  assert.match(await line(), /^0\{/);
  client.send("4+");
  assert.equal(await line(), "4+");
  client.send("4say 7 good morning");
  assert.equal(await line(), "4! 7 GOOD MORNING");
});
