// The chat example's page in a real Chromium, with two people in it, with the official client and with the page's own
// small one. CHAT names the program and TOKEN_LIFE_SECONDS how long its tokens live; the package `chat` runs this.

import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { launch } from "./chromium.mjs";

const { CHAT: program, TOKEN_LIFE_SECONDS } = process.env;
const tokenLifeSeconds = Number(TOKEN_LIFE_SECONDS);
if (!program || !tokenLifeSeconds) {
  throw new Error("CHAT and TOKEN_LIFE_SECONDS must be set");
}

/** The same for each start, so that a token outlives the server. */
const JWT_SECRET = "a secret of 32 bytes or more, for tests only";

let browser;
let server;
let url;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

async function start(environment, port = "0") {
  server = spawn(program, { env: { ...process.env, JWT_SECRET, ...environment, PORT: port }, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(server.stdout), "line");
  url = line.replace("listening on ", "");
}

async function kill() {
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
}

/** A page of its own, with its own storage; what the page throws, and what it asks of anybody else, fails the test. */
async function open(t, look = {}) {
  const context = await browser.newContext(look);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  page.on("request", (request) => new URL(request.url()).host !== new URL(url).host && errors.push(request.url()));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(url);
  return page;
}

async function login(t, name, look) {
  const page = await open(t, look);
  await page.fill("#name", name);
  await page.click("#login-form button");
  // Whoever had the name in the last test may not have left yet.
  const [isIn, isTaken] = [page.locator("#chat"), page.locator("#login-error", { hasText: "is taken" })];
  while (await Promise.race([isIn.waitFor().then(() => false), isTaken.waitFor().then(() => true)])) {
    await page.evaluate(() => document.getElementById("login-error").replaceChildren());
    await page.click("#login-form button");
  }
  await page.locator(`#state[data-state="connected"]`).waitFor();
  await shows(page, "#room", "lobby");
  return page;
}

/** Waits until the page shows the text, and fails with what it showed instead. */
async function shows(page, selector, text) {
  const found = page.locator(selector);
  await found
    .filter({ hasText: text })
    .first()
    .waitFor()
    .catch(async () => assert.fail(`${selector} shows ${await found.allTextContents()}, not ${text}`));
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.click("#say-form button");
};

/** Waits until the page marks a message of its own as received by the server. */
const received = (page, text) =>
  page
    .locator('#messages li.own[data-ack="received"]', { hasText: text })
    .first()
    .waitFor()
    .catch(async () => assert.fail(`${text} is not received: ${await page.locator("#messages").innerHTML()}`));

const CLIENTS = { "the official client": {}, "the small client": { CLIENT_PACKAGE: "/nowhere" } };

for (const [client, environment] of Object.entries(CLIENTS)) describe(`the chat page with ${client}`, () => {
  before(() => start(environment));
  after(kill);

  it("upgrades to WebSocket and says so", async (t) => {
    const page = await login(t, "ada");
    await shows(page, "#transport", "websocket");
    await shows(page, "#me", "ada");
  });

  it("carries messages between two people and marks them as received", async (t) => {
    const ada = await login(t, "ada");
    const bob = await login(t, "bob");
    await shows(ada, "#online", "bob");
    await shows(ada, "#online-count", "2");
    await say(ada, "hello <b>bob</b> €😀");
    await shows(bob, "#messages", "hello <b>bob</b> €😀");
    await received(ada, "hello <b>bob</b>");
    await say(bob, "hello ada");
    await shows(ada, "#messages", "hello ada");
  });

  it("keeps rooms apart, and their history", async (t) => {
    const ada = await login(t, "ada");
    const bob = await login(t, "bob");
    await ada.fill("#room-name", "garden");
    await ada.click("#room-form button");
    await shows(ada, "#room", "garden");
    await say(ada, "only here");
    await received(ada, "only here");
    await say(bob, "still in the lobby");
    await received(bob, "still in the lobby");
    await shows(bob, "#rooms", "garden");
    assert.equal(await bob.locator("#messages", { hasText: "only here" }).count(), 0);
    assert.equal(await ada.locator("#messages", { hasText: "still in the lobby" }).count(), 0);
    await bob.click('#rooms button[data-room="garden"]');
    await shows(bob, "#messages", "only here");
  });

  it("shows who is typing, and when they stop", async (t) => {
    const ada = await login(t, "ada");
    const bob = await login(t, "bob");
    await bob.locator("#text").pressSequentially("hm");
    await shows(ada, "#typing", "bob is typing…");
    await say(bob, "done");
    await shows(ada, "#messages", "done");
    await ada.waitForFunction(() => document.getElementById("typing").textContent === "");
  });

  it("renews its token in band and stays connected past the first one's end", async (t) => {
    const page = await login(t, "ada");
    assert.match(await page.locator("#token-seconds").textContent(), /^\d+ s$/);
    await page.evaluate(() => {
      window.states = [];
      new MutationObserver(() => window.states.push(document.getElementById("state").textContent)).observe(
        document.getElementById("state"),
        { childList: true },
      );
    });
    const startedAt = Date.now();
    await page.waitForFunction(
      ([start, life]) => Number(document.getElementById("renewals").textContent) >= 2 && Date.now() - start > life,
      [startedAt, tokenLifeSeconds * 1000],
      { timeout: tokenLifeSeconds * 4000 },
    );
    assert.deepEqual(await page.evaluate(() => window.states), [], "it was never disconnected");
    await say(page, "still here");
    await received(page, "still here");
  });

  it("refuses a name that is taken", async (t) => {
    await login(t, "ada");
    const other = await open(t);
    await other.fill("#name", "ada");
    await other.click("#login-form button");
    await shows(other, "#login-error", "ada is taken");
  });

  it("tells how many are in before the login, through the public namespace", async (t) => {
    await login(t, "ada");
    const stranger = await open(t);
    await shows(stranger, "#public-count", "1");
  });

  it("says goodbye: the others see it", async (t) => {
    const ada = await login(t, "ada");
    const bob = await login(t, "bob");
    await shows(ada, "#online", "bob");
    await bob.click("#logout");
    await shows(ada, "#online-count", "1");
    await bob.locator("#login-form").waitFor();
  });

  it("says when a message came, and counts what was said in rooms that are not shown", async (t) => {
    const ada = await login(t, "ada");
    const bob = await login(t, "bob");
    await ada.fill("#room-name", "attic");
    await ada.click("#room-form button");
    await shows(ada, "#room", "attic");
    await say(bob, "anybody here?");
    await say(bob, "hello?");
    await shows(ada, '#rooms button[data-room="lobby"] .unread', "2");
    assert.equal(await ada.title(), "(2) Chat");
    await ada.click('#rooms button[data-room="lobby"]');
    await shows(ada, "#messages", "hello?");
    assert.equal(await ada.title(), "Chat");
    assert.match(await ada.locator("#messages time").last().textContent(), /\d\d:\d\d/);
    const said = await ada.locator("#messages time").last().getAttribute("datetime");
    assert.ok(Math.abs(Date.now() - Date.parse(said)) < 60_000, said);
  });

  it("says what a name may be", async (t) => {
    const page = await open(t);
    await page.fill("#name", "a name");
    await page.click("#login-form button");
    assert.equal(await page.locator("#name").getAttribute("title"), "1 to 20 letters, digits, - or _");
    assert.equal(await page.locator("#name:invalid").count(), 1);
  });

  it("shows people and rooms on a phone", async (t) => {
    const page = await login(t, "ada", { viewport: { width: 375, height: 667 } });
    assert.equal(await page.locator("#online").isVisible(), false);
    await page.click("#show-people");
    await page.locator("#online", { hasText: "ada" }).waitFor();
    await page.click("#show-rooms");
    assert.equal(await page.locator("#online").isVisible(), false);
    await page.click('#rooms button[data-room="lobby"]');
    assert.equal(await page.locator("#rooms").isVisible(), false);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375);
  });

  it("shows that the connection is lost, keeps what is written, and comes back by itself", async (t) => {
    const page = await login(t, "ada");
    await page.fill("#room-name", "cellar");
    await page.click("#room-form button");
    await shows(page, "#room", "cellar");
    const { port } = new URL(url);
    await kill();
    await shows(page, "#state", "disconnected");
    await shows(page, "#lost", "Trying again");
    await page.fill("#text", "unsent");
    assert.equal(await page.locator("#say-form button").isDisabled(), true);
    await page.press("#text", "Enter");
    assert.equal(await page.inputValue("#text"), "unsent");
    await start(environment, port);
    await page.locator(`#state[data-state="connected"]`).waitFor();
    await shows(page, "#room", "cellar");
    await page.press("#text", "Enter");
    await received(page, "unsent");
    assert.equal(await page.locator("#lost").isVisible(), false);
  });
});
