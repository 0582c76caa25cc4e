// socket.io-client 4 against profile `socket` with INITIAL_PACKET='2["first",1]'.

import { it } from "node:test";
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { url, ways } from "./support/fixture.mjs";
import { Inbox, next } from "./support/inbox.mjs";

for (const [way, options] of Object.entries(ways)) {
  it(`an initial packet that is an event of / is heard by ${way}`, async (t) => {
    const client = io(url, { ...options, forceNew: true, reconnection: false });
    t.after(() => client.disconnect());
    const first = new Inbox(client, "first");
    await next(client, "connect");
    assert.deepEqual(await first.next(), [1]);
  });
}
