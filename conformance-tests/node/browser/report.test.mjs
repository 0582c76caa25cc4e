// The committed report in a real Chromium. REPORT_URL names the page; `conformance-tests/tests/page.rs` sets it.
// With SCREENSHOTS naming a folder, pictures of the page in both colour schemes are put there.

import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";

const url = process.env.REPORT_URL;
if (!url) {
  throw new Error("REPORT_URL must be set");
}

/** What people with moderately low vision can still read, as WCAG 2.1 has it for small text. */
const MIN_CONTRAST = 4.5;

const SERVERS = ["socketio ", "socket.io ", "python-socketio ", "socketioxide "];

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

async function open(t, colorScheme = "light", width = 1280) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  t.after(() => context.close());
  const page = await context.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  assert.deepEqual(requests, [url], "the page needs nothing but itself");
  return page;
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) {
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
  }
}

/** The rules that can be seen. */
const shownRules = (page) => page.locator("details.rule:visible").count();

/** The number that stands behind a filter's text. */
async function announced(page, id) {
  return Number(await page.locator(`label:has(#${id}) i`).innerText());
}

describe("the report", () => {
  it("has a column per server, each with a version and its totals", async (t) => {
    const page = await open(t);
    await picture(page, "top-light");
    const heads = await page.locator(".head span").allInnerTexts();
    assert.deepEqual(heads.slice(0, 2), ["rule", "level"]);
    for (const [index, server] of SERVERS.entries()) {
      assert.match(heads[index + 2], new RegExp(`^${server}\\d+\\.\\d+`));
    }
    const totals = await page.locator(".total").allInnerTexts();
    assert.equal(totals.length, SERVERS.length);
    for (const total of totals) {
      assert.match(total, /MUST\s+\d+ of \d+\s+SHOULD\s+\d+ of \d+\s+profiles: engine,/);
    }
  });

  it("says of ours that every MUST passed", async (t) => {
    const page = await open(t);
    const [, passed, all] = /MUST\s+(\d+) of (\d+)/.exec(await page.locator(".total").first().innerText());
    assert.equal(passed, all);
    assert.ok(Number(all) > 800, all);
  });

  it("has a mark per rule and server", async (t) => {
    const page = await open(t);
    const rules = await shownRules(page);
    assert.ok(rules > 200, rules);
    assert.equal(await page.locator("details.rule > summary > .mark").count(), rules * SERVERS.length);
    assert.equal(await announced(page, "all"), rules);
  });

  it("opens a rule on click and shows its text, its cases and what a server did", async (t) => {
    const page = await open(t);
    const rule = page.locator("details.rule.unmet").first();
    const case_ = rule.locator(".case").first();
    assert.equal(await case_.isVisible(), false);
    await rule.locator("> summary").click();
    await case_.waitFor();
    assert.ok((await rule.locator(".inside > p").innerText()).length > 20);
    const why = rule.locator(".why").first();
    assert.equal(await why.locator("pre").isVisible(), false);
    await why.locator("summary").click();
    const exchange = await why.locator("pre").innerText();
    assert.match(exchange, /^expected /);
    assert.match(exchange, /\[1\] > GET \/(engine|socket)\.io\//);
    await picture(page, "open-light");
  });

  it("can be opened from the keyboard", async (t) => {
    const page = await open(t);
    const rule = page.locator("details.rule").first();
    await rule.locator("> summary").focus();
    await page.keyboard.press("Enter");
    await rule.locator(".case").first().waitFor();
  });

  it("is narrowed to the rules with failures, to one server's, and to MUST", async (t) => {
    const page = await open(t);
    for (const id of ["failed", "only-1", "only-2", "only-3"]) {
      await page.check(`#${id}`);
      const count = await shownRules(page);
      assert.equal(count, await announced(page, id), id);
      assert.ok(count > 0, id);
      assert.equal(await page.locator("section:visible:not(:has(details.rule:visible))").count(), 0, id);
    }
    await picture(page, "narrowed-light");
    await page.check("#must");
    assert.equal(await page.locator("details.rule.lesser:visible").count(), 0);
    assert.equal(await page.locator("section:visible:not(:has(details.rule:visible))").count(), 0);
  });

  for (const scheme of ["light", "dark"]) {
    it(`can be read in the ${scheme} colour scheme`, async (t) => {
      const page = await open(t, scheme);
      const rule = page.locator("details.rule.unmet").first();
      await rule.locator("> summary").click();
      await rule.locator(".why summary").first().click();
      await picture(page, `open-${scheme}`);
      const contrasts = await page.evaluate(contrastsOf, ["h1", "h2", "p", ".total b", ".level-total span", ".head span", ".id",
        ".claim", ".level", ".mark.passed", ".mark.failed", ".mark.missing", "i.passed", "i.failed", ".why summary", "pre"]);
      for (const [selector, contrast] of contrasts) {
        assert.ok(contrast >= MIN_CONTRAST, `${selector}: ${contrast}`);
      }
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const isDark = /\d+/.exec(ground)[0] < 128;
      assert.equal(isDark, scheme === "dark", ground);
    });
  }

  it("fits a telephone without scrolling sideways", async (t) => {
    const page = await open(t, "dark", 390);
    await page.locator("details.rule.unmet > summary").first().click();
    await picture(page, "telephone-dark");
    const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(content <= window_, `${content} > ${window_}`);
  });
});

/** Runs in the page: the contrast of each selector's first element with what is behind it. */
function contrastsOf(selectors) {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], isOpaque: a === 1 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { rgb, isOpaque } = parse(getComputedStyle(one).backgroundColor);
      if (isOpaque) {
        return rgb;
      }
    }
    return [255, 255, 255];
  };
  return selectors.map((selector) => {
    const element = document.querySelector(selector);
    const both = [luminance(parse(getComputedStyle(element).color).rgb), luminance(ground(element))];
    return [selector, (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
  });
}
