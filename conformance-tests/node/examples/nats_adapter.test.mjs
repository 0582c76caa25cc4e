import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox } from "../clients/support/inbox.mjs";
import { askOne } from "../clients/support/socket.mjs";
import { connect } from "./support.mjs";

const { OTHER_URL } = process.env;

it("clients of two servers hear each other, meet in rooms, and see who is there", async (t) => {
  const [ada, bob] = await Promise.all([connect(t), connect(t, { url: OTHER_URL })]);
  const [toAda, toBob] = [new Inbox(ada, "said"), new Inbox(bob, "said")];
  // The servers hear of each other right behind their start.
  let all = [];
  while (all.length < 2) {
    all = await askOne(ada, "who");
  }
  assert.deepEqual(all.sort(), [ada.id, bob.id].sort());
  ada.emit("say", "hello");
  assert.deepEqual(await toAda.take(1), ["hello"]);
  assert.deepEqual(await toBob.take(1), ["hello"]);
  assert.equal(await askOne(bob, "join", "red"), true);
  ada.emit("tell", "red", "to the red ones");
  assert.deepEqual(await toBob.take(1), ["to the red ones"]);
  bob.emit("say", "last");
  assert.deepEqual(await toAda.take(1), ["last"]);
});
