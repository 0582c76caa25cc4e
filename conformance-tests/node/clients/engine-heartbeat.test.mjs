// engine.io-client 6 and 3 against profile `engine` with EIO3=1 and a quick heartbeat
// (PING_INTERVAL=300 PING_TIMEOUT=700).

import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { connect, generations, upgraded } from "./support/engine.mjs";
import { isReference, url, ways } from "./support/fixture.mjs";
import { Inbox, next } from "./support/inbox.mjs";
import { Proxy } from "./support/proxy.mjs";

describe("the heartbeat", { concurrency: true }, () => {
  for (const [name, generation] of Object.entries(generations)) {
    for (const [way, options] of Object.entries(ways)) {
      describe(`${name} by ${way}`, { concurrency: true }, () => {
        const open = async (t, at = url) => {
          const session = await connect(t, generation, at, options);
          if (way === "upgrade") {
            await upgraded(session.client);
          }
          return session;
        };

        it("lives on while heartbeats are answered", async (t) => {
          const { client, messages } = await open(t);
          await new Inbox(client, "pong").take(4);
          client.send("still here");
          assert.deepEqual(await messages.next(), ["still here"]);
        });

        const skip =
          isReference &&
          generation.revision === 3 &&
          way === "upgrade" &&
          "EIO3-HB-04: the reference forgets the timer at the upgrade";
        it("is closed by the server when it falls silent", { skip }, async (t) => {
          const { client } = await open(t);
          const closed = next(client, "close");
          fallSilent(client, generation);
          assert.equal((await closed)[0], "transport close");
        });

        it("gives up when the server falls silent", async (t) => {
          const proxy = await Proxy.before(url, t);
          const { client } = await open(t, proxy.url);
          const closed = next(client, "close");
          proxy.mute();
          assert.equal((await closed)[0], "ping timeout");
        });
      });
    }
  }
});

/** Stops a client's heartbeat, and its own judgement of the server's. */
function fallSilent(client, { revision }) {
  if (revision === 4) {
    const send = client._sendPacket;
    client._sendPacket = (type, ...rest) => type === "pong" || send.call(client, type, ...rest);
  } else {
    client.ping = () => {};
    client.onHeartbeat = () => {};
    client.off("heartbeat");
    clearTimeout(client.pingTimeoutTimer);
  }
}
