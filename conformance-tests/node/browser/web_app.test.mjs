// The pages of the example `web_app` in a real Chromium; the package of that name runs this.

import { after, before, it } from "node:test";
import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";

const { EXAMPLE_URL: url } = process.env;

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

it("shows a note in both tabs, and sends both to the login when one logs out", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const errors = [];
  const open = async () => {
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => errors.push(error));
    page.on("request", (request) => new URL(request.url()).host !== new URL(url).host && errors.push(request.url()));
    await page.goto(url);
    return page;
  };
  const one = await open();
  await one.fill("input[name=name]", "ann");
  await one.fill("input[name=password]", "wrong horse");
  await one.click("text=Log in");
  await one.locator("#error", { hasText: "Wrong name or password." }).waitFor();
  await one.fill("input[name=name]", "ann");
  await one.fill("input[name=password]", "correct horse");
  await one.click("text=Make an account");
  await one.locator("#state", { hasText: /^live$/ }).waitFor();
  await one.locator("#name", { hasText: "ann" }).waitFor();

  const two = await open();
  await two.locator("#state", { hasText: /^live$/ }).waitFor();
  await one.fill("#text", "buy <b>milk</b>");
  await one.press("#text", "Enter");
  for (const page of [one, two]) {
    await page.locator("#notes li", { hasText: "buy <b>milk</b>" }).waitFor();
  }
  await two.reload();
  await two.locator("#notes li", { hasText: "buy <b>milk</b>" }).waitFor();
  assert.equal(await two.locator("#notes li").count(), 1);

  await two.click("#logout");
  for (const page of [one, two]) {
    await page.locator("input[name=password]").waitFor();
  }
  assert.deepEqual(errors, []);
});
