import { it } from "node:test";
import assert from "node:assert/strict";
import { next } from "../clients/support/inbox.mjs";
import { ask } from "../clients/support/socket.mjs";
import { connect, url } from "./support.mjs";

it("sends back whatever it is sent", async (t) => {
  const client = await connect(t);
  const sent = ["text", { of: ["any", 1, null] }, Buffer.from([1, 2, 3])];
  const answer = next(client, "message");
  client.emit("message", ...sent);
  assert.deepEqual(await answer, sent);
  assert.deepEqual(await ask(client, "ask", ...sent), sent);
});

it("lets pages of any origin read", async () => {
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: "http://localhost:5173" } });
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
});
