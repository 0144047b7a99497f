// The page in a real browser: node dashboard.mjs BASE_URL [SCREENSHOT.png] [--scheme dark] [--width 360]
// Needs playwright-core (its folder in NODE_PATH or beside this file) and Chromium (CHROMIUM, default
// /usr/bin/chromium). Waits for the service to have equipment and an open alert; `--no-alert` goes without one.
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

function playwright() {
  const places = [import.meta.url, ...(process.env.NODE_PATH || "").split(delimiter).filter(Boolean).map(place => join(place, "x.js"))];
  for (const place of places) {
    try { return createRequire(place)("playwright-core"); } catch { /* try the next */ }
  }
  throw new Error("playwright-core is not installed; run npm install playwright-core and set NODE_PATH to its node_modules");
}

const words = process.argv.slice(2), option = name => (words.includes(name) ? words[words.indexOf(name) + 1] : null);
const [base, shot] = words.filter((word, place) => !word.startsWith("--") && !["--scheme", "--width", "--wait"].includes(words[place - 1]));
if (!base) { console.error("usage: dashboard.mjs BASE_URL [SCREENSHOT.png] [--scheme dark] [--width 360] [--wait seconds] [--no-alert]"); process.exit(2); }
const wait = 1000 * (Number(option("--wait")) || 20), width = Number(option("--width")) || 1280, problems = [];
const check = (good, text) => { console.log(`${good ? "ok    " : "FAILED"} ${text}`); if (!good) problems.push(text); };

const browser = await playwright().chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const page = await (await browser.newContext({ viewport: { width, height: 900 }, colorScheme: option("--scheme") || "light" })).newPage();
  const origin = new URL(base).origin, strays = [], complaints = [];
  page.on("request", request => { const url = request.url(); if (!url.startsWith(origin) && !url.startsWith("data:")) strays.push(url); });
  page.on("console", message => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", error => complaints.push(String(error)));
  page.setDefaultTimeout(wait);
  await page.goto(base);

  await page.waitForSelector("[role=treeitem][data-machine]");
  const machines = page.locator("[data-machine]"), count = await machines.count();
  check(count > 0, `the tree shows ${count} machines`);
  check((await page.locator("[data-line]").count()) > 0, "the machines stand in lines");

  const chosen = machines.nth(count > 1 ? 1 : 0), id = await chosen.getAttribute("data-machine");
  await chosen.click();
  await page.waitForSelector("#plots canvas");
  check((await chosen.getAttribute("aria-selected")) === "true", `${id} is selected by a click`);
  await page.waitForFunction(() => {
    const canvas = document.querySelector("#plots canvas"), pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return canvas.width > 100 && pixels.some((value, place) => place % 4 === 3 && value > 0);
  });
  check(true, "its trend is drawn on a canvas");
  await chosen.press("ArrowUp");
  await page.keyboard.press("Enter");
  const focused = await page.evaluate(() => document.activeElement.getAttribute("aria-selected") ?? document.activeElement.getAttribute("aria-expanded"));
  check(focused !== null && focused !== "null", "the tree obeys the keyboard");

  if (!words.includes("--no-alert")) {
    const open = page.locator("#alerts [data-alert][data-state=open]").first();
    await open.waitFor();
    const alert = await open.getAttribute("data-alert"), card = page.locator(`#alerts [data-alert="${alert.replace(/["\\]/g, "\\$&")}"]`);
    check((await card.locator(".causes li").count()) > 0, `alert ${alert} lists causes: ${(await card.locator(".causes li").first().innerText()).replace(/\s+/g, " ")}`);
    await page.locator("#who").fill("");
    await card.getByRole("button", { name: /acknowledge/i }).click();
    await card.locator(".failed").waitFor();
    check(true, "acknowledging without a name is refused with words");
    await page.locator("#who").fill("browser test");
    await page.locator("#who").press("Tab");
    const done = page.waitForResponse(response => response.url().includes("/acknowledge"));
    await card.getByRole("button", { name: /acknowledge/i }).click();
    const response = await done;
    check(response.status() === 200, `acknowledge answered ${response.status()}`);
    check((await response.request().allHeaders())["x-twinwright"] === "1", "the request carries its header");
    // It may clear by itself at the same moment: gone from the list is as good as acknowledged.
    await page.waitForFunction(name => {
      const found = [...document.querySelectorAll("#alerts [data-alert]")].find(element => element.dataset.alert === name);
      return !found || found.dataset.state === "acknowledged";
    }, alert);
    check(true, "its state changed on the page");
  }
  const pending = page.locator("#commands [data-state=pending]").first();
  if (await pending.count()) {
    await pending.getByRole("button", { name: /approve/i }).click();
    check(await pending.getByRole("button", { name: /yes, send/i }).isVisible(), "approving a command asks first");
    await pending.getByRole("button", { name: /^no$/i }).click();
  }

  check(!(await page.evaluate(() => window.hacked)), "text of devices ran no script");
  check((await page.locator("main img, main b b, main script, main iframe").count()) === 0, "text of devices made no elements");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `nothing is wider than the window of ${width} px (${wide} px over)`);
  if (shot) { await page.evaluate(() => scrollTo(0, 0)); await page.screenshot({ path: shot, fullPage: true }); console.log(`screenshot: ${shot}`); }
  check(strays.length === 0, `no request left the origin ${strays.join(" ")}`);
  check(complaints.length === 0, `no complaint in the console ${complaints.join(" | ")}`);
} catch (error) {
  problems.push(String(error));
  console.error(`FAILED ${error}`);
} finally {
  await browser.close();
}
if (problems.length) console.error(`${problems.length} of the page's promises broken: ${problems[0]}`);
process.exit(problems.length ? 1 : 0);
