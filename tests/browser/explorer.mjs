// The explorer in a real browser: node explorer.mjs BASE_URL TOKEN_FILE [SCREENSHOT.png] [--scheme dark] [--width 360] [--twins 1000] [--wait seconds]
// BASE_URL is that of a local Digital Twins service (https://localhost:8444), which is filled with a plant first.
// Needs playwright-core (its folder in NODE_PATH or beside this file) and Chromium (CHROMIUM, default /usr/bin/chromium).
import { readFileSync } from "node:fs";
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
const [base, tokenFile, shot] = words.filter((word, place) => !word.startsWith("--") && !["--scheme", "--width", "--twins", "--wait"].includes(words[place - 1]));
if (!tokenFile) { console.error("usage: explorer.mjs BASE_URL TOKEN_FILE [SCREENSHOT.png] [--scheme dark] [--width 360] [--twins 1000] [--wait seconds]"); process.exit(2); }
const wait = 1000 * (Number(option("--wait")) || 20), width = Number(option("--width")) || 1280, total = Number(option("--twins")) || 60, problems = [];
const check = (good, text) => { console.log(`${good ? "ok    " : "FAILED"} ${text}`); if (!good) problems.push(text); };
const token = readFileSync(tokenFile, "utf8").trim(), HOSTILE = "<img src=x onerror=window.hacked=1>";

const { chromium, request } = playwright();
const api = await request.newContext({ baseURL: base, ignoreHTTPSErrors: true, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
async function send(method, path, data) {
  for (;;) {
    const response = await api.fetch(`${path}?api-version=2023-10-31`, { method, data });
    if (response.ok()) return response;
    if (response.status() !== 429) throw new Error(`${method} ${path}: ${response.status()} ${await response.text()}`);
    await new Promise(done => setTimeout(done, 1000 * Number(response.headers()["retry-after"] || 1)));
  }
}

const contents = (...list) => list.map(([type, name, schema]) => ({ "@type": type, name, ...(schema ? { schema } : {}) }));
const model = (name, extra) => ({ "@context": "dtmi:dtdl:context;2", "@id": `dtmi:shop:${name};1`, "@type": "Interface", displayName: name, ...extra });
const health = { "@type": "Component", name: "health", schema: "dtmi:shop:Health;1" };
const machine = (...more) => ({ contents: [...contents(["Property", "name", "string"], ["Property", "speed", "double"], ["Relationship", "feeds"], ["Relationship", "servicedBy"]), health, ...more] });
const kinds = ["Press", "Pump", "Conveyor", "RoboticArm"];

async function plant() {
  const models = await (await send("GET", "/models")).json();
  if (models.value.some(model => model.id === "dtmi:shop:Site;1")) return;
  await send("POST", "/models", [
    model("Health", { contents: contents(["Property", "status", "string"], ["Property", "score", "double"]) }),
    model("Site", { contents: contents(["Property", "name", "string"], ["Relationship", "contains"]) }),
    model("Line", { contents: contents(["Property", "name", "string"], ["Relationship", "contains"], ["Relationship", "feeds"]) }),
    model("Person", { contents: contents(["Property", "name", "string"]) }),
    ...kinds.map(kind => model(kind, machine())),
  ]);
  const twin = (id, name, body) => send("PUT", `/digitaltwins/${encodeURIComponent(id)}`, { $metadata: { $model: `dtmi:shop:${name};1` }, ...body });
  const relation = (source, name, target) => send("PUT", `/digitaltwins/${encodeURIComponent(source)}/relationships/${name}-${encodeURIComponent(target)}`, { $relationshipName: name, $targetId: target });
  const jobs = [];
  const flush = async () => { await Promise.all(jobs.splice(0).map(job => job())); };
  const later = async job => { jobs.push(job); if (jobs.length >= 16) await flush(); };
  await twin("site", "Site", { name: "Munich" });
  const lines = Math.max(2, Math.round(total / 60));
  for (let line = 0; line < lines; line++) await later(() => twin(`line-${line}`, "Line", { name: `Line ${line + 1}` }));
  for (let person = 0; person < 5; person++) await later(() => twin(`person-${person}`, "Person", { name: `Fitter ${person + 1}` }));
  await flush();
  const machines = total - lines - 6, of = number => number % lines, name = number => `${kinds[number % kinds.length].toLowerCase()}-${String(number).padStart(4, "0")}`;
  for (let number = 0; number < machines; number++) {
    const status = number % 37 === 0 ? "critical" : number % 11 === 0 ? "warning" : "healthy";
    await later(() => twin(name(number), kinds[number % kinds.length], { name: number === 3 ? HOSTILE : name(number), speed: number % 10, health: { $metadata: {}, status, score: status === "critical" ? 1.6 : 0.3 } }));
  }
  await flush();
  for (let line = 0; line < lines; line++) await later(() => relation("site", "contains", `line-${line}`));
  for (let number = 0; number < machines; number++) {
    await later(() => relation(`line-${of(number)}`, "contains", name(number)));
    if (number + lines < machines) await later(() => relation(name(number), "feeds", name(number + lines)));
    if (number % 40 === 0) await later(() => relation(name(number), "servicedBy", `person-${(number / 40) % 5}`));
  }
  await flush();
}

await plant();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
try {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: option("--scheme") || "light", ignoreHTTPSErrors: true });
  const page = await context.newPage(), origin = new URL(base).origin, strays = [], complaints = [];
  page.on("request", asked => { const url = asked.url(); if (!url.startsWith(origin) && !url.startsWith("data:")) strays.push(url); });
  page.on("console", message => { if (["error", "warning"].includes(message.type()) && !/status of 40[01]/.test(message.text())) complaints.push(message.text()); });
  page.on("pageerror", error => complaints.push(String(error)));
  page.setDefaultTimeout(wait);
  const opened = await page.goto(`${base}/explorer`);
  check(opened.url().endsWith("/explorer/") && opened.headers()["content-security-policy"].includes("default-src 'none'"), "the page comes with a strict policy, without a token");

  await page.locator("#token").fill("made-up");
  await page.getByRole("button", { name: "Open" }).click();
  await page.locator("#login-note").filter({ hasText: "does not know" }).waitFor();
  check(true, "a made-up token is refused with words");
  await page.locator("#token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
  const began = Date.now();
  await page.locator("#live[data-state=live]").waitFor();
  check(true, `the picture of ${await page.locator("#count-twins").innerText()} twins and ${await page.locator("#count-relationships").innerText()} relationships came in ${Date.now() - began} ms`);
  await page.waitForFunction(() => [...document.querySelectorAll("#canvas canvas")].some(canvas => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.some((value, place) => place % 4 === 3 && value > 0);
  }));
  check(true, "it is drawn on a canvas");
  const known = (await (await send("GET", "/models")).json()).value.length;
  check((await page.locator("#models button").count()) === known, `the legend names all ${known} models`);
  if (shot) await page.screenshot({ path: shot.replace(/\.png$/, "-whole.png"), fullPage: true });

  await page.locator("#search").fill("onerror");
  await page.locator("#found button").first().click();
  await page.locator("#details-title").filter({ hasText: "0003" }).waitFor();
  check((await page.locator("#details").innerText()).includes(HOSTILE), "a hostile name is shown as text");
  check((await page.locator("#details .health").innerText()).startsWith("health: "), "its health is told in words");
  await page.locator("#details .list button").filter({ hasText: "line-" }).first().click();
  check((await page.locator("#details-title").innerText()).startsWith("line-"), "a neighbour is one click away");
  await page.locator("#search").fill("");
  await page.locator("#found button").first().focus();
  await page.keyboard.press("Enter");
  check((await page.locator("#found button[aria-current=true]").count()) === 1, "the list of twins obeys the keyboard");

  await page.locator("#models button").first().click();
  check((await page.locator("#details").innerText()).includes("dtmi:shop:"), "a model shows what it holds");
  await page.locator("#clear").click();

  await page.locator("#query").fill("SELECT * FROM DIGITALTWIN");
  await page.locator("#run").click();
  await page.locator("#answer-note").filter({ hasText: "line 1, position 15" }).waitFor();
  check(true, "a wrong query is explained");
  await page.locator("#query").fill("SELECT m, l FROM DIGITALTWINS MATCH (l)-[:contains]->(m)\nWHERE l.$dtId = 'line-0' AND m.health.status != 'healthy'");
  await page.locator("#query").press("Control+Enter");
  await page.locator("#answer-note").filter({ hasText: /[1-9]\d* highlighted/ }).waitFor();
  check((await page.locator("#answer tr").count()) > 1, `a query answers and highlights: ${await page.locator("#answer-note").innerText()}`);

  const id = `new-${Date.now()}`, before = Number((await page.locator("#count-twins").innerText()).replace(/\D/g, ""));
  await send("PUT", `/digitaltwins/${id}`, { $metadata: { $model: "dtmi:shop:Person;1" }, name: "Late" });
  await page.waitForFunction(count => Number(document.querySelector("#count-twins").textContent.replace(/\D/g, "")) === count, before + 1);
  await page.locator("#search").fill(id);
  await page.locator("#found button").first().waitFor();
  check((await page.locator("#found button").count()) === 1, "a twin that is created appears by itself");
  await page.locator("#search").fill("");
  await send("DELETE", `/digitaltwins/${id}`);

  check(!(await page.evaluate(() => window.hacked)), "text of twins ran no script");
  check((await page.evaluate(() => document.querySelectorAll("img:not([src^='data:']), iframe, script:not([src])").length)) === 0, "text of twins made no elements");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `nothing is wider than the window of ${width} px (${wide} px over)`);
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, textarea")].filter(element => element.offsetParent && !(element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.length)).map(element => element.outerHTML));
  check(nameless.length === 0, `every control has a name ${nameless.join(" ")}`);
  if (shot) { await page.evaluate(() => scrollTo(0, 0)); await page.screenshot({ path: shot, fullPage: true }); console.log(`screenshot: ${shot}`); }

  const again = await context.newPage();
  await again.goto(`${base}/explorer/#token=${token}`);
  await again.locator("#live[data-state=live]").waitFor();
  check(!again.url().includes(token), "a token in the fragment is taken, and gone from the address");
  check(strays.length === 0, `no request left the origin ${strays.join(" ")}`);
  check(complaints.length === 0, `no complaint in the console ${complaints.join(" | ")}`);
} catch (error) {
  problems.push(String(error));
  console.error(`FAILED ${error}`);
} finally {
  await browser.close();
  await api.dispose();
}
if (problems.length) console.error(`${problems.length} of the page's promises broken: ${problems[0]}`);
process.exit(problems.length ? 1 : 0);
