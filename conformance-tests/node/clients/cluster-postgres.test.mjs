// What Node's emitter for Postgres says is heard by two servers of this library. Those of Node do not hear it (PGA-04).

import assert from "node:assert/strict";
import { it } from "node:test";
import { Emitter } from "@socket.io/postgres-emitter";
import pg from "pg";
import { PREFIX, REDIS, call, client, eventually, join } from "./support/cluster.mjs";
import { Inbox, next } from "./support/inbox.mjs";

//= PGA-04 test
for (const nsp of ["/", "/custom"]) {
  it(`an emitter reaches the clients of both and the servers in ${nsp}`, async (t) => {
    const [a, b] = await Promise.all([client(t, 0, nsp), client(t, 1, nsp)]);
    const [inA, inB] = [new Inbox(a, "x"), new Inbox(b, "x")];
    await Promise.all([join(t, a, "room", nsp), join(t, b, "room", nsp), call(b, "heard")]);
    const pool = new pg.Pool({ connectionString: REDIS[0], max: 1 });
    t.after(() => pool.end());
    const emitter = new Emitter(pool, nsp, { channelPrefix: PREFIX });
    emitter.emit("x", 1);
    emitter.to("room").except(a.id).emit("x", 2);
    emitter.to(a.id).compress(false).emit("x", 3);
    assert.deepEqual(await inB.take(2), [1, 2]);
    assert.deepEqual(await inA.take(2), [1, 3]);
    for (const attached of [Buffer.from([1, 2]), "é".repeat(5_000)]) {
      emitter.emit("x", attached);
      assert.deepEqual([await inA.take(1), await inB.take(1)], [[attached], [attached]]);
    }
    emitter.in("room").socketsJoin(["other"]);
    for (const socket of [a, b]) {
      await eventually(async () => assert.deepEqual((await call(socket, "me")).rooms, ["other", "room"]));
    }
    emitter.serverSideEmit("note", "from outside");
    await eventually(async () => assert.deepEqual(await call(b, "heard"), [["note", "from outside"]]));
    const gone = [a, b].map((socket) => next(socket, "disconnect"));
    emitter.in("other").disconnectSockets();
    assert.deepEqual((await Promise.all(gone)).length, 2);
  });
}
