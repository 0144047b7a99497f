// A stand-in for the `api` function, for working on the page alone: serves the page inlined, with the strict
// Content-Security-Policy, and answers the contract with one healthy line, one faulty arm and a hostile device id.
// Usage: node mock.mjs [port]; prints its address. `mode` of the address /mock?mode=… : normal, empty, down.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const folder = new URL("../../dashboard/", import.meta.url);
const HOSTILE = "<img src=x onerror=window.hacked=1>";
const start = Date.now();
const iso = ms => new Date(ms).toISOString();

function page() {
  const hashes = { script: [], style: [] };
  const text = readFileSync(new URL("index.html", folder), "utf8").replace(
    /<!-- inline:(\S+) -->/g,
    (_, name) => {
      const file = { "uplot.css": "vendor/uPlot.min.css", "uplot.js": "vendor/uPlot.iife.min.js" }[name] || name;
      const content = readFileSync(new URL(file, folder), "utf8"), tag = file.endsWith(".css") ? "style" : "script";
      hashes[tag].push(`'sha256-${createHash("sha256").update(content).digest("base64")}'`);
      return `<${tag}>${content}</${tag}>`;
    },
  );
  const policy = `default-src 'none'; script-src ${hashes.script.join(" ")}; style-src ${hashes.style.join(" ")}; ` +
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return { text, policy };
}

const causes = [
  { signal: "vibration", share: 0.82, value: 7.913, expected: 2.41, direction: "high" },
  { signal: "temperature", share: 0.16, value: 53.2, expected: 45.4, direction: "high" },
  { signal: "pressure", share: 0.02, value: 118.6, expected: 120.1, direction: "low" },
];
const alerts = [
  { id: "a1", device: "robotic-arm-001", rule: "score-high", severity: "critical", state: "open", openedAt: iso(start - 240e3), clearedAt: null,
    acknowledgedAt: null, acknowledgedBy: null, score: 2.31, peak: 2.6, causes, advice: "Vibration grows before the heat: look at the bearings of axis 2 at the next stop.",
    scorer: "smoothed-mahalanobis 0.1.0", baseline: "000000003" },
  { id: "a2", device: HOSTILE, rule: "score-high", severity: "warning", state: "open", openedAt: iso(start - 70e3), clearedAt: null,
    acknowledgedAt: null, acknowledgedBy: null, score: 1.12, peak: 1.2, causes: [{ signal: "<b>speed</b>", share: 0.9, value: 1.1, expected: 2.5, direction: "low" }],
    advice: "<script>window.hacked=1</script>", scorer: "ewma-chart 0.1.0", baseline: "000000001" },
  { id: "a0", device: "robotic-arm-001", rule: "score-high", severity: "warning", state: "cleared", openedAt: iso(start - 700e3), clearedAt: iso(start - 640e3),
    acknowledgedAt: iso(start - 660e3), acknowledgedBy: "shift lead", score: 0.4, peak: 1.3, causes, advice: null, scorer: "smoothed-mahalanobis 0.1.0", baseline: "000000003" },
];
const commands = [
  { id: "c1", device: "robotic-arm-001", method: "emergencyStop", state: "pending", requestedAt: iso(start - 200e3), alert: "a1", reason: "critical alert for 40 s, policy is ask", outcome: null },
  { id: "c0", device: "conveyor-belt-001", method: "emergencyStop", state: "answered", requestedAt: iso(start - 3000e3), alert: null, reason: "critical alert", outcome: { status: 200, stopped: true } },
];
const machine = (id, name, latest, status, score, topCause, alert) => ({
  id, model: "dtmi:twinwright:RoboticArm;1", name, observedAt: iso(Date.now() - 900), latest, states: { operationalStatus: "running" },
  health: { status, score, topCause, contributions: {}, scorer: "smoothed-mahalanobis 0.1.0", baseline: "000000003" }, alert,
});

function overview() {
  const wobble = Math.sin(Date.now() / 3000);
  const equipment = [
    machine("robotic-arm-001", "robotic-arm-001", { temperature: 53.2 + wobble, vibration: 7.91 + wobble / 4, pressure: 118.6 }, "critical", 2.3 + wobble / 10, "vibration", "a1"),
    machine("conveyor-belt-001", "conveyor-belt-001", { speed: 2.51, load: 78.4 + wobble, motorTemperature: 35.4 }, "healthy", 0.34 + wobble / 20, "load", null),
    machine(HOSTILE, HOSTILE, { speed: 1.1 }, "warning", 1.12, "<b>speed</b>", "a2"),
    { ...machine("pump-001", "Coolant pump", {}, "silent", null, null, null), observedAt: iso(start - 400e3) },
    { ...machine("press-001", "Press", { force: 812.5, oilTemperature: 49.1 }, "learning", null, null, null) },
  ];
  const open = alerts.filter(alert => alert.state !== "cleared");
  return {
    now: iso(Date.now()), equipment, pendingPatches: 3,
    lines: [
      { id: "production-line-a", name: "Production Line A", status: "operational", equipment: ["robotic-arm-001", "conveyor-belt-001", HOSTILE] },
      { id: "production-line-b", name: "Production Line B", status: "maintenance", equipment: ["pump-001", "press-001"] },
    ],
    alerts: { open: open.length, unacknowledged: open.filter(alert => alert.state === "open").length },
  };
}

function trend(query) {
  const minutes = Number(query.get("minutes")) || 15, to = Date.now() / 1000, points = 300;
  const t = Array.from({ length: points }, (_, k) => to - minutes * 60 * (1 - k / (points - 1)));
  const noise = k => Math.sin(k * 12.9898) * 0.5 + Math.sin(k * 4.1) * 0.5;
  const wear = at => (query.get("device") === "robotic-arm-001" ? Math.min(1, Math.max(0, (at - start / 1000 + 420) / 300)) : 0);
  const hole = (k, value) => (k > 60 && k < 70 ? null : value);
  return {
    device: query.get("device"), from: iso(t[0] * 1000), to: iso(to * 1000), t, limit: 1.0,
    signals: {
      temperature: t.map((at, k) => hole(k, 45 + noise(k) + 8 * wear(at))), vibration: t.map((at, k) => hole(k, 2.4 + 0.4 * noise(k * 3) + 5.5 * wear(at))),
      pressure: t.map((_, k) => hole(k, 120 + 2 * noise(k * 7))),
    },
    score: t.map((at, k) => hole(k, 0.35 + 0.1 * noise(k * 5) + 2 * wear(at) ** 2)),
  };
}

let mode = "normal";
const { text, policy } = page();
const server = createServer((request, response) => {
  const url = new URL(request.url, "http://local"), send = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const changed = /^\/api\/(alerts|commands)\/([^/]+)\/(acknowledge|approve)$/.exec(url.pathname);
  if (url.pathname === "/") return response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy }).end(text);
  if (url.pathname === "/mock") { mode = url.searchParams.get("mode"); return send(200, { mode }); }
  if (mode === "down") return send(503, { error: { message: "the storage account does not answer" } });
  if (mode === "empty" && url.pathname === "/api/overview") return send(200, { ...overview(), lines: [], equipment: [] });
  if (mode === "empty") return send(200, { alerts: [], commands: [] });
  if (url.pathname === "/api/overview") return send(200, overview());
  if (url.pathname === "/api/trend") return send(200, trend(url.searchParams));
  if (url.pathname === "/api/alerts") return send(200, { alerts: url.searchParams.get("state") === "all" ? alerts : alerts.filter(alert => alert.state !== "cleared") });
  if (url.pathname === "/api/commands") return send(200, { commands });
  if (!changed || request.method !== "POST") return send(404, { error: { message: "no such address" } });
  if (request.headers["x-twinwright"] !== "1") return send(403, { error: { message: "header x-twinwright is missing" } });
  let body = "";
  request.on("data", part => (body += part)).on("end", () => {
    const found = (changed[1] === "alerts" ? alerts : commands).find(entry => entry.id === decodeURIComponent(changed[2]));
    if (!found) return send(404, { error: { message: "no such entry" } });
    if (changed[1] === "alerts") Object.assign(found, { state: "acknowledged", acknowledgedAt: iso(Date.now()), acknowledgedBy: JSON.parse(body).by });
    else found.state = "approved";
    send(200, found);
  });
});
server.listen(Number(process.argv[2]) || 0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
