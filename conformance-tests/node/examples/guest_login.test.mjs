import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox, next } from "../clients/support/inbox.mjs";
import { askOne } from "../clients/support/socket.mjs";
import { connect, open } from "./support.mjs";

it("lets a guest in, who logs in on the same socket", async (t) => {
  const bob = await connect(t, { auth: { token: "token-of-bob" } });
  const guest = await connect(t);
  const { id } = guest;
  const [heard, seen, notices] = [new Inbox(bob, "said"), new Inbox(guest, "said"), new Inbox(bob, "members")];
  assert.equal(await askOne(bob, "say", "welcome"), "said");
  assert.deepEqual(await seen.next(), ["bob", "welcome"]);

  assert.deepEqual(await askOne(guest, "say", "hello"), { error: "log in first" });
  await askOne(guest, "authenticate", { token: "token-of-ann" });
  assert.equal(await askOne(guest, "say", "hello"), "said");
  assert.deepEqual(await heard.next(), ["ann", "hello"]);
  assert.deepEqual(await notices.next(), ["ann", "spoke"]);
  assert.equal(guest.id, id);
});

it("keeps a guest a guest whose token is bad", async (t) => {
  const guest = await connect(t);
  const { error } = await askOne(guest, "authenticate", { token: "garbage" });
  assert.equal(error.code, "invalid_token");
  assert.deepEqual(await askOne(guest, "say", "hello"), { error: "log in first" });
});

it("makes no guest of who brings a bad token", async (t) => {
  const client = open(t, { auth: { token: "garbage" } });
  const [error] = await next(client, "connect_error");
  assert.equal(error.data.code, "invalid_token");
});
