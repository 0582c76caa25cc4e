// scripts/cluster-demo as a person would use it: the page in a real Chromium, on a node of ours and on Node's, one of which is killed,
// and Ctrl-C.

import { after, before, it } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));

let browser;
let demo;
let ended;
let told = "";

before(async () => {
  demo = spawn("scripts/cluster-demo", { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  ended = once(demo, "exit");
  for await (const line of createInterface(demo.stdout)) {
    told += `${line}\n`;
    if (line.startsWith("Ctrl-C")) break;
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  demo.kill("SIGINT");
  await ended;
});

/** What the script says behind a name, or before what it does. */
function said(pattern) {
  const [, found] = pattern.exec(told) ?? assert.fail(`${pattern} is not in:\n${told}`);
  return found;
}

async function enter(url, name) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(`${url}${url.includes("?") ? "&" : "?"}name=${name}`);
  await page.locator('#state[data-state="connected"]').waitFor();
  return page;
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

const shows = (page, selector, hasText) => page.locator(selector, { hasText }).first().waitFor();

it("clients on different nodes hear and see each other, also when one is killed, and Ctrl-C ends everything", async () => {
  const ada = await enter(said(/without WebSocket +(\S+)/), "ada");
  const bob = await enter(said(/Node's socket.io +(\S+)/), "bob");
  await shows(bob, "#node", "node-3");
  const first = await ada.textContent("#node");
  assert.match(first, /^rust-[12]$/);
  await say(ada, "hello <b>bob</b>");
  await say(bob, "hello ada");
  await shows(bob, "#messages li", "ada: hello <b>bob</b>");
  await shows(ada, "#messages li", "bob: hello ada");
  for (const page of [ada, bob]) {
    await shows(page, "#people section", new RegExp(`^${first}\\s*ada$`));
    await shows(page, "#people section", /^node-3\s*bob$/);
  }

  process.kill(Number(said(new RegExp(`kill -9 (\\d+) +kills ${first}`))), "SIGKILL");
  const other = first === "rust-1" ? "rust-2" : "rust-1";
  await shows(ada, "#messages li", `now on ${other}`);
  await shows(bob, "#people section", new RegExp(`^${other}\\s*ada$`));
  await say(bob, "still there?");
  await shows(ada, "#messages li", "bob: still there?");

  const running = [...told.matchAll(/kill -9 (\d+)/g)].map(([, pid]) => Number(pid));
  assert.equal(running.length, 4);
  demo.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
  for (const pid of running) {
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  }
});
