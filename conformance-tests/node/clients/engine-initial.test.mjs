// engine.io-client 6 and 3 against profile `engine` with EIO3=1 and INITIAL_PACKET="first €".

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { generations } from "./support/engine.mjs";
import { url, ways } from "./support/fixture.mjs";
import { Inbox } from "./support/inbox.mjs";

for (const [name, generation] of Object.entries(generations)) {
  describe(name, () => {
    for (const [way, options] of Object.entries(ways)) {
      it(`gets the initial packet before its own echo by ${way}`, async (t) => {
        const client = generation.create(url, { path: "/engine.io/", ...options });
        t.after(() => client.close());
        const messages = new Inbox(client, "message");
        client.once("open", () => client.send("own"));
        assert.deepEqual(await messages.take(2), ["first €", "own"]);
      });
    }
  });
}
