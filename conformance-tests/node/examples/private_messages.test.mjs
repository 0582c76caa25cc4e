import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox, next } from "../clients/support/inbox.mjs";
import { askOne, connected } from "../clients/support/socket.mjs";
import { open } from "./support.mjs";

/** A tab of a person, with what it hears. */
async function tab(t, name) {
  const client = open(t, { auth: { token: `token-of-${name}` } });
  const [online, messages] = [new Inbox(client, "online"), new Inbox(client, "message")];
  await connected(client);
  return { client, online, messages };
}

it("says who is here, once for all tabs of a person", async (t) => {
  const ann = await tab(t, "ann");
  assert.deepEqual(await ann.online.next(), [["ann"]]);
  const bob = await tab(t, "bob");
  const second = await tab(t, "bob");
  for (const { online } of [bob, second]) {
    assert.deepEqual(await online.next(), [["ann", "bob"]]);
  }
  bob.client.disconnect();
  const cleo = await tab(t, "cleo");
  assert.deepEqual(await cleo.online.next(), [["ann", "bob", "cleo"]]);
  second.client.disconnect();
  assert.deepEqual(await cleo.online.next(), [["ann", "cleo"]]);
  // Neither of bob's tabs alone was news.
  assert.deepEqual(await ann.online.take(3), [["ann", "bob"], ["ann", "bob", "cleo"], ["ann", "cleo"]]);
  cleo.client.disconnect();
  ann.client.disconnect();
});

it("brings a message to all tabs of both, and to nobody else", async (t) => {
  const [ann, other] = [await tab(t, "ann"), await tab(t, "ann")];
  const [bob, second] = [await tab(t, "bob"), await tab(t, "bob")];
  const cleo = await tab(t, "cleo");
  const message = { from: "ann", to: "bob", text: "only for you" };
  assert.deepEqual(await askOne(ann.client, "message", message), { delivered: true });
  for (const { messages } of [bob, second, other]) {
    assert.deepEqual(await messages.next(), [message]);
  }
  // What is sent behind it comes behind it: cleo hears this one first.
  await askOne(bob.client, "message", { to: "cleo", text: "hello" });
  assert.deepEqual(await cleo.messages.next(), [{ from: "bob", to: "cleo", text: "hello" }]);
  assert.equal(ann.messages.size, 0);
});

it("says that nobody was there, and what a message may be", async (t) => {
  const { client } = await tab(t, "ann");
  assert.deepEqual(await askOne(client, "message", { to: "cleo", text: "hello?" }), { delivered: false });
  assert.deepEqual(await askOne(client, "message", { to: "ann", text: "x".repeat(4_000) }), { delivered: false });
  const error = "a message is 1 to 4,000 bytes long";
  assert.deepEqual(await askOne(client, "message", { to: "ann", text: "x".repeat(4_001) }), { error });
  assert.deepEqual(await askOne(client, "message", { to: "ann" }), { error: "invalid_arguments" });
});

it("keeps strangers out", async (t) => {
  for (const auth of [{}, { token: "token-of-mallory" }]) {
    const [error] = await next(open(t, { auth }), "connect_error");
    assert.ok(error.data.code);
  }
});
