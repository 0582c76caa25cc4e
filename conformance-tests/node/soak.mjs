// Official clients against our fixture for as long as told, with all that networks and people do to them.
//
//     node soak.mjs FIXTURE SECONDS [SEED] [ARGUMENT OF THE FIXTURE ...]
//
// Exits with 1 and what broke: a rule of the history (`soak/history.mjs`) or of a client (`soak/actor.mjs`), a limit of
// what the server uses, or its end. The seed decides what the clients and the network do, though not when exactly.

import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { Actor } from "./soak/actor.mjs";
import { History } from "./soak/history.mjs";
import { Link } from "./soak/link.mjs";
import { Random } from "./soak/random.mjs";
import { Server } from "./soak/server.mjs";

const WAYS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

/** Clients of each way in this process, behind a link of their own, and in processes of their own. */
const LINKED_EACH = 4;
const APART_EACH = 1;

/** Milliseconds between two mishaps of a client. */
const CALM = [1_000, 12_000];

/** What happens to a link, and how often of a hundred times. */
const TO_LINKS = { cut: 60, shortPause: 25, pauseAndCut: 10, longPause: 5 };

/** What happens to a process. */
const TO_PROCESSES = { kill: 50, shortStop: 40, longStop: 10 };

/** Milliseconds; the long ones are past the server's ping timeout. */
const SHORT = [50, 2_000];
const LONG = [7_000, 9_000];

/** How long the last connections, acks and broadcasts may take to come. */
const SETTLING_MS = 60_000;

/** How long the server may take to forget clients that left: a timeout of one that vanished, and of its log. */
const FORGETTING_MS = 60_000;

/** How long the server may take to end. */
const ENDING_MS = 10_000;

/** By how much the last third of the run may use more than the first, behind what is left out as warming up. */
const DRIFT = {
  memory: { share: 0.15, least: 4_096 },
  descriptors: { share: 0.25, least: 10 },
  threads: { share: 0, least: 2 },
  tasks: { share: 0.25, least: 10 },
};
const WARMING_SHARE = 0.2;
const WARMING_MOST_MS = 120_000;

/** The most faults that are printed. */
const SHOWN = 20;

const [program, seconds, seedText, ...serverArguments] = process.argv.slice(2);
const seed = Number(seedText ?? Date.now() % 2 ** 31);
if (!program || !(Number(seconds) > 0) || !Number.isInteger(seed)) {
  console.error("usage: node soak.mjs FIXTURE SECONDS [SEED] [ARGUMENT OF THE FIXTURE ...]");
  process.exit(2);
}
const random = new Random(seed);
const history = new History();
const say = (text) => console.log(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${text}`);

/** A client in this process, behind a link. */
class Linked {
  static async start(who, url, transports) {
    const client = new Linked();
    client.link = await Link.to(url);
    const record = (entry) => history.record(entry);
    client.actor = new Actor({ who, url: client.link.url, transports, seed: random.below(2 ** 31), record });
    return client;
  }

  async suffer() {
    const mishap = random.weighed(TO_LINKS);
    history.count(mishap);
    if (mishap !== "cut") {
      this.link.pause();
      await sleep(random.between(...(mishap === "longPause" ? LONG : SHORT)));
    }
    if (mishap === "cut" || mishap === "pauseAndCut") {
      this.link.cut();
    }
    this.link.resume();
  }

  stop() {
    this.actor.stop();
  }

  async open() {
    return this.actor.open;
  }

  async leave() {
    this.actor.leave();
    await sleep(100);
    this.link.close();
  }
}

/** A client in a process of its own; another takes its place when it is killed. */
class Apart {
  #lives = 0;
  #process;
  /** Resolves when the process has ended and all that it said is read. */
  #gone;
  #isMeantToEnd = false;

  constructor(name, url, transports) {
    this.name = name;
    this.options = { url, transports };
    this.#start();
  }

  #start() {
    const who = `${this.name}.${(this.#lives += 1)}`;
    const options = JSON.stringify({ ...this.options, who, seed: random.below(2 ** 31) });
    const person = fork(fileURLToPath(new URL("soak/person.mjs", import.meta.url)), [options]);
    // Its end is noticed below; what it is told meanwhile is lost.
    person.on("error", () => {});
    person.on("message", (entry) => entry.kind !== "open" && history.record(entry));
    this.#process = person;
    this.who = who;
    this.#isMeantToEnd = false;
    this.#gone = once(person, "close").then(([code, signal]) => {
      if (!this.#isMeantToEnd) {
        history.wrong.push(`${who} ended by itself or by a stranger: ${signal ?? code}`);
      }
    });
  }

  async suffer() {
    const mishap = random.weighed(TO_PROCESSES);
    history.count(mishap);
    if (mishap === "kill") {
      this.kill();
      await this.#gone;
      history.over(this.who);
      this.#start();
    } else {
      this.#process.kill("SIGSTOP");
      await sleep(random.between(...(mishap === "longStop" ? LONG : SHORT)));
      this.#process.kill("SIGCONT");
    }
  }

  stop() {
    this.#process.send("stop");
  }

  open() {
    return new Promise((resolve) => {
      this.#gone.then(() => resolve("connection: its process has ended"));
      const hear = (entry) => {
        if (entry.kind === "open") {
          this.#process.off("message", hear);
          resolve(entry.open);
        }
      };
      this.#process.on("message", hear);
      this.#process.send("open");
    });
  }

  async leave() {
    this.#isMeantToEnd = true;
    this.#process.send("leave");
    await this.#gone;
  }

  kill() {
    this.#isMeantToEnd = true;
    this.#process.kill("SIGKILL");
  }
}

/** Waits until `look` finds nothing more to wait for; gives what it found last. */
async function settled(limit, look) {
  const end = performance.now() + limit;
  for (;;) {
    const found = await look();
    if (!found || performance.now() > end) {
      return found;
    }
    await sleep(500);
  }
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const shown = ({ memory, descriptors, threads, tasks }) =>
  `${memory} kB, ${descriptors} descriptors, ${threads} threads, ${tasks} tasks`;

function drifts(samples) {
  const start = samples[0].at + Math.min(WARMING_MOST_MS, (samples.at(-1).at - samples[0].at) * WARMING_SHARE);
  const warm = samples.filter(({ at }) => at >= start);
  const third = Math.ceil(warm.length / 3);
  for (const [what, { share, least }] of Object.entries(DRIFT)) {
    const [first, last] = [warm.slice(0, third), warm.slice(-third)].map((part) => median(part.map((s) => s[what])));
    say(`${what}: ${first} in the first third, ${last} in the last`);
    if (last - first > Math.max(first * share, least)) {
      history.wrong.push(`${what} grew from ${first} to ${last}`);
    }
  }
}

/** One client of each way comes and goes. */
async function visit(url) {
  for (const transports of Object.values(WAYS)) {
    const client = io(url, { transports, forceNew: true });
    await once(client, "connect");
    client.disconnect();
  }
  await sleep(500);
}

async function soak(server) {
  await visit(server.url);
  const idle = await server.usage();
  say(`idle: ${shown(idle)}`);

  const clients = [];
  for (const [way, transports] of Object.entries(WAYS)) {
    for (let i = 0; i < LINKED_EACH; i += 1) {
      clients.push(await Linked.start(`${way}-${i}`, server.url, transports));
    }
    for (let i = 0; i < APART_EACH; i += 1) {
      apart.push(new Apart(`${way}-apart-${i}`, server.url, transports));
    }
  }
  clients.push(...apart);

  const end = performance.now() + Number(seconds) * 1000;
  const lives = clients.map(async (client) => {
    for (;;) {
      await sleep(Math.min(random.between(...CALM), Math.max(end - performance.now(), 0)));
      if (performance.now() >= end) {
        return;
      }
      await client.suffer();
    }
  });
  const samples = [];
  for (let second = 1; performance.now() < end; second += 1) {
    await sleep(1000);
    samples.push({ ...(await server.usage()), at: performance.now() });
    if (second % 60 === 0) {
      say(`${shown(samples.at(-1))}; ${history.counts.get("heard")} heard, ${history.wrong.length} wrong`);
    }
  }
  await Promise.all(lives);

  clients.forEach((client) => client.stop());
  const open = await settled(SETTLING_MS, async () => (await Promise.all(clients.map((c) => c.open()))).find(Boolean));
  if (open) {
    history.wrong.push(`at the end no ${open} came`);
  }
  await settled(SETTLING_MS, () => history.lost().length > 0);
  history.wrong.push(...history.lost());
  drifts(samples);

  await Promise.all(clients.map((client) => client.leave()));
  const kept = await settled(FORGETTING_MS, async () => {
    const usage = await server.usage();
    const isMore = usage.descriptors > idle.descriptors || usage.tasks > idle.tasks;
    return isMore && usage;
  });
  if (kept) {
    history.wrong.push(`when all had left the server kept ${shown(kept)}`);
  }
  say(`all have left: ${shown(await server.usage())}`);
}

/** Told to end, the server says goodbye and ends well. */
async function finish(server) {
  const clients = Object.values(WAYS).map((transports) => io(server.url, { transports, forceNew: true, reconnection: false }));
  await Promise.all(clients.map((client) => client.connected || once(client, "connect")));
  const goodbyes = Promise.all(clients.map((client) => once(client, "disconnect")));
  const how = await Promise.race([server.terminate(), sleep(ENDING_MS, "nothing", { ref: false })]);
  say(`SIGTERM: the server ended with ${how}`);
  if (how !== 0) {
    history.wrong.push(`told to end, the server ended with ${how}`);
  }
  const heard = await Promise.race([goodbyes, sleep(ENDING_MS, undefined, { ref: false })]);
  if (!heard) {
    history.wrong.push("not all clients noticed the end");
  }
  clients.forEach((client) => client.disconnect());
}

const apart = [];
say(`seed ${seed}`);
const server = await Server.start(program, ...serverArguments);
try {
  await Promise.race([
    soak(server).then(() => finish(server)),
    server.ended.then((how) => sleep(ENDING_MS, undefined, { ref: false }).then(() => {
      throw new Error(`the server ended early: ${how}`);
    })),
  ]);
} catch (error) {
  history.wrong.push(error.stack);
} finally {
  apart.forEach((client) => client.kill());
  server.kill();
}
const counts = [...history.counts].sort().map(([what, count]) => `${what} ${count}`);
say(counts.join(", "));
history.wrong.slice(0, SHOWN).forEach((what) => say(`WRONG ${what}`));
say(`${history.wrong.length} wrong`);
process.exit(history.wrong.length > 0 ? 1 : 0);
