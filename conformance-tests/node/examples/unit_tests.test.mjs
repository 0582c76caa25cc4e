import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox, next } from "../clients/support/inbox.mjs";
import { askOne } from "../clients/support/socket.mjs";
import { connect, open } from "./support.mjs";

it("takes bids of those who say their name", async (t) => {
  const [ann, bob] = [await connect(t, { auth: { name: "ann" } }), await connect(t, { auth: { name: "bob" } })];
  const bids = new Inbox(bob, "bid");
  assert.equal(await askOne(ann, "bid", 100), 100);
  assert.deepEqual(await bids.next(), ["ann", 100]);
  assert.deepEqual(await askOne(bob, "bid", 100), { error: "more than 100, please" });
  const [error] = await next(open(t), "connect_error");
  assert.equal(error.message, "say who you are");
});
