import { it } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Inbox } from "../clients/support/inbox.mjs";
import { askOne } from "../clients/support/socket.mjs";
import { connect } from "./support.mjs";

const { UPLOADS: folder } = process.env;
const CHUNK = 65_536;

const refusal = async (client, ...event) => (await askOne(client, ...event)).error;

it("stores a file that comes in chunks, and shows how far it is", async (t) => {
  const [sender, other] = [await connect(t), await connect(t)];
  const [progress, uploaded] = [new Inbox(other, "progress"), new Inbox(other, "uploaded")];
  const file = randomBytes(3 * CHUNK + 17);
  await askOne(sender, "upload", { name: "photo.jpg", size: file.length });
  for (let at = 0; at < file.length; at += CHUNK) {
    const received = await askOne(sender, "chunk", at, file.subarray(at, at + CHUNK));
    assert.equal(received, Math.min(at + CHUNK, file.length));
    assert.deepEqual(await progress.next(), [{ name: "photo.jpg", received, size: file.length }]);
  }
  assert.equal(await askOne(sender, "finish"), file.length);
  assert.deepEqual(await uploaded.next(), ["photo.jpg", file.length]);
  assert.ok(file.equals(await readFile(join(folder, "photo.jpg"))));
});

it("keeps the order of chunks that nobody waited for", async (t) => {
  const sender = await connect(t);
  const file = randomBytes(20_000);
  const answers = [askOne(sender, "upload", { name: "hasty", size: file.length })];
  for (let at = 0; at < file.length; at += 1_000) {
    answers.push(askOne(sender, "chunk", at, file.subarray(at, at + 1_000)));
  }
  answers.push(askOne(sender, "finish"));
  assert.equal((await Promise.all(answers)).at(-1), file.length);
  assert.ok(file.equals(await readFile(join(folder, "hasty"))));
});

it("refuses what is too much, and names that lead elsewhere", async (t) => {
  const sender = await connect(t);
  for (const name of ["../escape", "a/b", ".hidden", "", "x".repeat(101)]) {
    assert.match(await refusal(sender, "upload", { name, size: 1 }), /^a name is/);
  }
  assert.match(await refusal(sender, "upload", { name: "big", size: 10_000_001 }), /^a file is/);
  assert.match(await refusal(sender, "chunk", 0, Buffer.alloc(1)), /^no file/);
  assert.match(await refusal(sender, "finish"), /missing/);

  await askOne(sender, "upload", { name: "big", size: 10_000_000 });
  assert.match(await refusal(sender, "upload", { name: "other", size: 1 }), /^one file/);
  assert.match(await refusal(sender, "chunk", 1, Buffer.alloc(1)), /not the next/);
  assert.match(await refusal(sender, "chunk", 0, Buffer.alloc(CHUNK + 1)), /^a chunk is/);
  assert.equal(await askOne(sender, "chunk", 0, Buffer.alloc(CHUNK)), CHUNK);
  assert.match(await refusal(sender, "finish"), /missing/);
});

it("refuses more than was announced", async (t) => {
  const sender = await connect(t);
  await askOne(sender, "upload", { name: "small", size: 3 });
  assert.match(await refusal(sender, "chunk", 0, Buffer.alloc(4)), /announced/);
  assert.equal(await askOne(sender, "chunk", 0, Buffer.alloc(3)), 3);
  assert.equal(await askOne(sender, "finish"), 3);
});

it("takes sixteen files at once, and forgets those whose sender leaves", async (t) => {
  const senders = [];
  for (let count = 0; count < 16; count++) {
    senders.push(await connect(t, { transports: ["websocket"] }));
    await askOne(senders.at(-1), "upload", { name: "half", size: 10 });
  }
  const late = await connect(t);
  assert.match(await refusal(late, "upload", { name: "late", size: 10 }), /^too many/);
  const parts = async () => (await readdir(folder)).filter((name) => name.endsWith(".part")).length;
  assert.equal(await parts(), 16);
  for (const sender of senders) {
    sender.disconnect();
  }
  while ((await parts()) > 0);
  // An answer without arguments: it may begin.
  assert.equal(await askOne(late, "upload", { name: "late", size: 10 }), undefined);
});
