// The chat example's page in a real Chromium, with two people in it. CHAT_URL names a running example whose tokens
// live TOKEN_LIFE_SECONDS; `conformance-tests/tests/chat.rs` starts one.

import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";

const url = process.env.CHAT_URL;
const tokenLifeSeconds = Number(process.env.TOKEN_LIFE_SECONDS);
if (!url || !tokenLifeSeconds) {
  throw new Error("CHAT_URL and TOKEN_LIFE_SECONDS must be set");
}

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** A page of its own, with its own storage; what the page logs as an error fails the test. */
async function open(t) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(url);
  return page;
}

async function login(t, name) {
  const page = await open(t);
  await page.fill("#name", name);
  await page.click("#login-form button");
  // Whoever had the name in the last test may not have left yet.
  const [isIn, isTaken] = [page.locator("#chat"), page.locator("#login-error", { hasText: "is taken" })];
  while (await Promise.race([isIn.waitFor().then(() => false), isTaken.waitFor().then(() => true)])) {
    await page.evaluate(() => document.getElementById("login-error").replaceChildren());
    await page.click("#login-form button");
  }
  await shows(page, "#state", "connected");
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
  page.locator('#messages li.own[data-ack="received"]', { hasText: text }).first().waitFor();

describe("the chat page", () => {
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
});
