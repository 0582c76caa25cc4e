import { it } from "node:test";
import assert from "node:assert/strict";
import { Inbox } from "../clients/support/inbox.mjs";
import { connect, url } from "./support.mjs";

const GAUGES = ["load", "uptime", "viewers"];

/** By long-polling and by hand, so that it is this test that says how slow the client is. */
class SlowClient {
  #session = `${url}/socket.io/?EIO=4&transport=polling`;

  async connect() {
    const [opening] = await this.poll();
    this.#session += `&sid=${JSON.parse(opening.slice(1)).sid}`;
    await fetch(this.#session, { method: "POST", body: "40" });
    for (;;) {
      const packets = await this.poll();
      if (packets.some((packet) => packet.startsWith("40"))) return;
    }
  }

  /** The packets that wait. */
  async poll() {
    const answer = await fetch(this.#session);
    return (await answer.text()).split("\x1e");
  }
}

it("shows quick clients every value, and slow ones the latest", async (t) => {
  const slow = new SlowClient();
  await slow.connect();
  const quick = await connect(t, { transports: ["websocket"] });
  const values = new Inbox(quick, "gauge");

  const seen = { load: [], uptime: [], viewers: [] };
  for (let count = 0; count < 300; count++) {
    const [name, value] = await values.next();
    seen[name].push(value);
  }
  for (const name of GAUGES) {
    assert.ok(seen[name].length >= 90, `${name} ${seen[name].length} times`);
  }
  assert.equal(seen.viewers.at(-1), 2);

  const packets = (await slow.poll()).filter((packet) => packet.startsWith("42"));
  const events = packets.map((packet) => JSON.parse(packet.slice(2)));
  assert.deepEqual(events.map(([, name]) => name).sort(), GAUGES);
  const [, , uptime] = events.find(([, name]) => name === "uptime");
  assert.ok(uptime >= seen.uptime.at(-2), `${uptime} is old: ${seen.uptime.at(-2)} was shown`);
});
