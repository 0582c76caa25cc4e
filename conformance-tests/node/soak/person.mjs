// A client in a process of its own, which may be stopped and killed; it tells its parent what it hears.

import { Actor } from "./actor.mjs";

const options = JSON.parse(process.argv[2]);
const actor = new Actor({ ...options, record: (entry) => process.send(entry) });
const orders = {
  stop: () => actor.stop(),
  // Behind everything that was said before, so whoever hears it has heard that as well.
  open: () => process.send({ kind: "open", open: actor.open }),
  leave: () => {
    actor.leave();
    setTimeout(() => process.disconnect(), 100);
  },
};
process.on("message", (order) => orders[order]());
