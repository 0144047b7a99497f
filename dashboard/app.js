// The page's only script. Text of devices is only ever set as textContent: a hostile name stays text.
(() => {
"use strict";

const POLL_MS = 2000, TREND_MS = 5000, STALE_MS = 10000, TIMEOUT_MS = 8000, PANELS_AT_FIRST = 4;
const HEALTH = {
  healthy: ["●", "healthy"], warning: ["▲", "warning"], critical: ["■", "critical"],
  learning: ["◐", "learning"], silent: ["○", "silent"], unknown: ["?", "unknown"],
};
const key = new URLSearchParams(location.search).get("code");
const byId = id => document.getElementById(id);
const state = {
  overview: null, trend: null, open: [], past: [], commands: [], selected: fromHash(), hidden: new Map(), goodAt: 0, failures: 0,
  trouble: "", shape: "", machines: new Map(), panels: [], panelsKey: "", confirming: null, busy: new Set(), errors: new Map(),
};

// ---- small tools -----------------------------------------------------------------------------------------
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}
function setText(element, text) { if (element.textContent !== text) element.textContent = text; }
function setAttribute(element, name, value) { if (element.getAttribute(name) !== value) element.setAttribute(name, value); }
function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return value.toLocaleString("en-GB", { maximumFractionDigits: size >= 100 ? 1 : 2, useGrouping: size >= 10000 });
}
function clock(iso) { const at = new Date(iso); return isNaN(at) ? "an unknown time" : at.toLocaleTimeString("en-GB"); }
function ago(seconds) {
  if (!(seconds >= 0)) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}
function serverNow() { return state.overview ? Date.parse(state.overview.now) + (Date.now() - state.goodAt) : Date.now(); }
function since(iso) { return ago((serverNow() - Date.parse(iso)) / 1000); }
function fromHash() { try { return decodeURIComponent(location.hash.replace(/^#device=/, "")) || null; } catch { return null; } }
function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function parsed(text) { try { return JSON.parse(text); } catch { return null; } }
function title(machine) { return machine.name && machine.name !== machine.id ? `${machine.name} (${machine.id})` : machine.id; }
function list(value) { return Array.isArray(value) ? value : []; }

// ---- talking to the service --------------------------------------------------------------------------------
async function api(path, body) {
  const headers = { accept: "application/json" };
  if (key) headers["x-functions-key"] = key;
  const request = { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    Object.assign(headers, { "content-type": "application/json", "x-twinwright": "1" });
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  }
  let response;
  try { response = await fetch(`api/${path}`, request); } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "the service did not answer within 8 seconds" : "the service can not be reached; is it running?");
  }
  if (response.status === 401 || response.status === 403) throw new Error("the service refuses this page; open it with ?code=<function key> at the end of its address");
  const text = await response.text();
  const value = parsed(text);
  if (!response.ok) {
    const cause = value && value.error ? (value.error.message || value.error) : text;
    throw new Error(`the service answered ${response.status}: ${String(cause).slice(0, 200) || "no reason given"}`);
  }
  if (!value || typeof value !== "object") throw new Error("the service answered with something that is not JSON; is another program on this port?");
  return value;
}

let pollTimer = 0, trendTimer = 0, polling = false;
async function poll() {
  clearTimeout(pollTimer);
  if (document.hidden || polling) return;
  polling = true;
  try {
    const [overview, open, commands] = await Promise.all([api("overview"), api("alerts?state=open&limit=100"), api("commands?state=all")]);
    const wasEmpty = !state.overview;
    Object.assign(state, { overview, open: list(open.alerts), commands: list(commands.commands), goodAt: Date.now(), failures: 0, trouble: "" });
    renderAll();
    if (wasEmpty) pollTrend();
  } catch (error) {
    Object.assign(state, { failures: state.failures + 1, trouble: error.message });
  }
  polling = false;
  renderLive();
  pollTimer = setTimeout(poll, Math.min(POLL_MS * Math.max(1, state.failures), 10000));
}
async function pollTrend() {
  clearTimeout(trendTimer);
  const device = state.selected;
  if (!document.hidden && device && state.machines.has(device)) {
    const minutes = byId("minutes").value;
    try {
      const [trend, past] = await Promise.all([
        api(`trend?device=${encodeURIComponent(device)}&minutes=${minutes}&points=600`), api("alerts?state=all&limit=100"),
      ]);
      if (device === state.selected && minutes === byId("minutes").value) { state.trend = trend; state.past = list(past.alerts); renderTrend(""); }
    } catch (error) {
      if (device === state.selected) renderTrend(`the trend can not be shown: ${error.message}`);
    }
  }
  clearTimeout(trendTimer);
  trendTimer = setTimeout(pollTrend, TREND_MS);
}

// ---- rendering: frame -----------------------------------------------------------------------------------------
function renderLive() {
  const late = state.goodAt && Date.now() - state.goodAt > STALE_MS;
  const live = byId("live"), banner = byId("banner");
  const offline = state.failures > 1 || late || (state.failures > 0 && !state.overview);
  setAttribute(live, "data-state", offline ? "offline" : state.overview ? "live" : "loading");
  setText(live, offline ? "offline" : state.overview ? `live, ${clock(state.overview.now)}` : "loading");
  const told = state.goodAt ? ` What is shown is from ${clock(state.goodAt)} and may be old.` : "";
  banner.hidden = !offline;
  if (offline) setText(banner, `No new data: ${state.trouble || "the last answer is late"}. Trying again by itself.${told}`);
}
function renderAll() {
  const { alerts = {}, pendingPatches } = state.overview;
  const counts = { open: alerts.open, unacknowledged: alerts.unacknowledged, patches: pendingPatches };
  for (const [name, count] of Object.entries(counts)) setText(byId(`count-${name}`), number(count));
  for (const render of [renderTree, renderAlerts, renderCommands, renderHealth]) render();
}
function note(id, text) { byId(id).hidden = !text; setText(byId(id), text); }

// ---- rendering: the plant ---------------------------------------------------------------------------------------
function renderTree() {
  const equipment = list(state.overview.equipment), lines = [...list(state.overview.lines)];
  const placed = new Set(lines.flatMap(line => list(line.equipment)));
  const loose = equipment.filter(machine => !placed.has(machine.id)).map(machine => machine.id);
  if (loose.length) lines.push({ id: "", name: "In no line", status: "", equipment: loose });
  const known = new Map(equipment.map(machine => [machine.id, machine]));
  const tree = byId("tree");
  tree.hidden = equipment.length === 0;
  note("plant-note", equipment.length ? "" : "no equipment yet: run “cargo xtask demo” or “twinwright up”, or create twins and connect a device");
  const shape = JSON.stringify(lines.map(line => [line.id, line.name, line.equipment]));
  if (shape !== state.shape) { state.shape = shape; buildTree(tree, lines, known); }
  for (const line of lines) { const part = tree.querySelector(`[data-line="${CSS.escape(line.id)}"] .status`); if (part) setText(part, line.status || ""); }
  for (const [id, parts] of state.machines) updateMachine(parts, known.get(id));
  if (!known.has(state.selected) && equipment.length) select((equipment.find(machine => machine.alert) || equipment[0]).id, false);
}
function buildTree(tree, lines, known) {
  const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.item : null;
  state.machines.clear();
  tree.replaceChildren(...lines.map(line => {
    const group = h("div", { role: "group" });
    for (const id of list(line.equipment)) if (known.has(id) && !state.machines.has(id)) group.append(buildMachine(id));
    const head = h("div", { class: "line-head" }, h("span", { class: "name" }, line.name || line.id), h("span", { class: "status" }));
    const item = h("div", { class: "line", role: "treeitem", "aria-expanded": "true", "aria-label": `line ${line.name || line.id}`, tabindex: "-1", "data-line": line.id, "data-item": `line ${line.id}` }, head, group);
    head.addEventListener("click", () => expand(item, item.getAttribute("aria-expanded") !== "true"));
    return item;
  }));
  const items = [...tree.querySelectorAll("[role=treeitem]")];
  const entry = items.find(item => item.dataset.item === focused) || items.find(item => item.getAttribute("aria-selected") === "true") || items[0];
  if (entry) { entry.tabIndex = 0; if (focused) entry.focus(); }
}
function buildMachine(id) {
  const parts = {
    name: h("span", { class: "name" }), word: h("span", { class: "word" }), bar: h("i"), values: h("div", { class: "small values" }), cause: h("div", { class: "small" }),
  };
  parts.meter = h("div", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "2" }, parts.bar);
  parts.item = h("div", {
    class: "machine", role: "treeitem", tabindex: "-1", "data-item": id, "data-machine": id, "aria-selected": String(id === state.selected),
    on: { click: () => { select(id, true); focusItem(parts.item); } },
  }, h("div", { class: "top" }, parts.name, parts.word), parts.meter, parts.values, parts.cause);
  state.machines.set(id, parts);
  return parts.item;
}
function updateMachine(parts, machine) {
  if (!machine) return;
  const health = machine.health || {}, [sign, word] = HEALTH[health.status] || HEALTH.unknown;
  const score = typeof health.score === "number" ? health.score : null;
  setText(parts.name, title(machine));
  setText(parts.word, `${sign} ${word}`);
  setAttribute(parts.item, "data-health", word);
  setAttribute(parts.item, "aria-selected", String(machine.id === state.selected));
  setAttribute(parts.item, "aria-label", `${title(machine)}, ${word}${score === null ? "" : `, score ${number(score)}`}`);
  setAttribute(parts.meter, "aria-valuenow", String(Math.min(score || 0, 2)));
  setAttribute(parts.meter, "aria-label", score === null ? "no score yet" : `score ${number(score)} of limit 1`);
  setAttribute(parts.meter, "data-over", score > 1 ? "yes" : score > 0.7 ? "near" : "no");
  parts.bar.style.width = `${Math.min(100, Math.max(0, (score || 0) * 50))}%`;
  const values = Object.entries(machine.latest || {}).map(([name, value]) => `${name} ${number(value)}`);
  const states = Object.values(machine.states || {}).map(String);
  setText(parts.values, [...values, ...states].join(" · ") || "no values yet");
  const old = machine.observedAt && serverNow() - Date.parse(machine.observedAt) > 30000 ? `last seen ${since(machine.observedAt)} ago` : "";
  const told = health.topCause && word !== "healthy" ? `because of ${health.topCause}` : "";
  setText(parts.cause, [score === null ? "" : `score ${number(score)}`, told, old].filter(Boolean).join(" · "));
}
function expand(item, open) { if (item.classList.contains("line")) item.setAttribute("aria-expanded", String(open)); }
function focusItem(item) {
  for (const other of byId("tree").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  item.tabIndex = 0;
  item.focus();
}
function treeKey(event) {
  const item = event.target.closest("[role=treeitem]");
  if (!item) return;
  const seen = [...byId("tree").querySelectorAll("[role=treeitem]")].filter(other => other.offsetParent);
  const place = seen.indexOf(item), isLine = item.classList.contains("line");
  const go = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: seen.length - 1 }[event.key];
  if (go !== undefined) { if (seen[go]) focusItem(seen[go]); }
  else if (event.key === "Enter" || event.key === " ") { if (isLine) expand(item, item.getAttribute("aria-expanded") !== "true"); else select(item.dataset.machine, true); }
  else if (event.key === "ArrowLeft") { if (isLine) expand(item, false); else focusItem(item.closest(".line")); }
  else if (event.key === "ArrowRight") { if (isLine) expand(item, true); }
  else return;
  event.preventDefault();
}
function select(id, byHand) {
  if (id === state.selected && state.trend) return;
  Object.assign(state, { selected: id, trend: null });
  for (const [other, parts] of state.machines) setAttribute(parts.item, "aria-selected", String(other === id));
  if (byHand) history.replaceState(null, "", `#device=${encodeURIComponent(id)}`);
  renderHealth();
  renderTrend(`loading the trend of ${id} …`);
  pollTrend();
}

// ---- rendering: the trend ------------------------------------------------------------------------------------------
function machineOf(id) { return state.overview && list(state.overview.equipment).find(machine => machine.id === id); }
function renderHealth() {
  const machine = machineOf(state.selected);
  setText(byId("trend-title"), machine ? title(machine) : "Trend");
  if (!machine) return setText(byId("trend-health"), "");
  const health = machine.health || {}, told = [`This machine is ${(HEALTH[health.status] || HEALTH.unknown)[1]}`];
  if (typeof health.score === "number") told.push(`score ${number(health.score)} (limit 1)`);
  if (health.topCause && health.status !== "healthy") told.push(`mostly because of ${health.topCause}`);
  const life = health.remainingLife;
  if (life && typeof life.value === "number") told.push(`about ${number(life.value)} ${life.unit || ""} of life remain (${number(life.low)} to ${number(life.high)})`);
  if (health.scorer) told.push(`by ${health.scorer}${health.baseline ? ` with baseline ${health.baseline}` : ""}`);
  setText(byId("trend-health"), told.join(", ") + ".");
}
function renderTrend(told) {
  const { trend } = state, empty = trend && !list(trend.t).length;
  note("trend-note", told || (empty ? "no data in this window yet; choose a longer one or wait for the next message" : ""));
  if (!trend || empty) { dropPanels(); byId("signals").hidden = true; return; }
  const names = Object.keys(trend.signals || {});
  if (!state.hidden.has(state.selected)) state.hidden.set(state.selected, new Set(names.slice(PANELS_AT_FIRST)));
  const hidden = state.hidden.get(state.selected), shown = names.filter(name => !hidden.has(name));
  const wanted = JSON.stringify([state.selected, names, shown]);
  if (wanted !== state.panelsKey) { dropPanels(); state.panelsKey = wanted; renderChips(names, hidden); buildPanels(names, shown); }
  for (const panel of state.panels) panel.plot.setData(panel.data());
}
function renderChips(names, hidden) {
  const chips = byId("signals");
  chips.hidden = false;
  const had = document.activeElement && chips.contains(document.activeElement) ? document.activeElement.value : null;
  chips.replaceChildren(h("legend", null, "Signals"), ...names.map(name => {
    const box = h("input", { type: "checkbox", value: name, on: { change: () => { if (box.checked) hidden.delete(name); else hidden.add(name); renderTrend(""); } } });
    box.checked = !hidden.has(name);
    return h("label", null, box, name);
  }));
  if (had) [...chips.querySelectorAll("input")].find(box => box.value === had)?.focus();
}
function dropPanels() {
  for (const panel of state.panels) panel.plot.destroy();
  Object.assign(state, { panels: [], panelsKey: "" });
  byId("plots").replaceChildren();
}
function buildPanels(names, shown) {
  const add = (name, values, options) => state.panels.push(buildPanel(name, values, options));
  add("score", () => state.trend.score, { stroke: colour("--text"), limit: true, height: 150, last: shown.length === 0 });
  shown.forEach((name, place) => add(name, () => state.trend.signals[name] || [], {
    stroke: colour(`--series-${names.indexOf(name) % 5 + 1}`), height: place === shown.length - 1 ? 132 : 112, last: place === shown.length - 1,
  }));
}
function buildPanel(name, values, { stroke, limit, height, last }) {
  const told = h("span"), caption = h("b", null, limit ? "score (limit 1.0, alerts shaded)" : name);
  caption.style.setProperty("--swatch", stroke);
  const box = h("div", { class: "panel", role: "img", "aria-label": `trend of ${name}` }, h("div", { class: "panel-head" }, caption, told));
  byId("plots").append(box);
  const data = () => [state.trend.t, state.trend.t.map((_, place) => values()[place] ?? null)];
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 }, font: "12px system-ui, sans-serif" };
  const tell = plot => {
    const row = plot.data[1], at = plot.cursor.idx;
    let place = at ?? row.length - 1;
    while (at == null && place > 0 && row[place] == null) place -= 1;
    setText(told, at == null ? number(row[place]) : `${number(row[place])} at ${clock(plot.data[0][place] * 1000)}`);
  };
  const range = limit
    ? (_, __, most) => [0, Math.max(1.5, (most || 0) * 1.1)]
    : (_, least, most) => { const pad = Math.max((most - least) * 0.12, Math.abs(most) * 0.01, 0.05); return least == null ? [0, 1] : [least - pad, most + pad]; };
  const plot = new uPlot({
    width: box.clientWidth, height, legend: { show: false }, cursor: { sync: { key: "trend" }, y: false, drag: { x: false, y: false } }, padding: [8, 26, last ? 0 : 4, 0],
    scales: { x: { time: true }, y: { range } },
    axes: [{ ...axis, show: last, values: "{HH}:{mm}:{ss}", space: 75, size: 30 }, { ...axis, size: 52, space: 28 }],
    series: [{}, { stroke, width: 1.75, points: { show: false }, spanGaps: false }],
    hooks: { drawClear: [shadeAlerts], draw: limit ? [drawLimit] : [], setCursor: [tell], setData: [tell] },
  }, data(), box);
  return { plot, box, data };
}
function shadeAlerts(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--span");
  for (const alert of state.past) {
    if (alert.device !== state.selected) continue;
    const from = Date.parse(alert.openedAt) / 1000, to = (alert.clearedAt ? Date.parse(alert.clearedAt) : serverNow()) / 1000;
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true)), right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}
function drawLimit(plot) {
  const { ctx, bbox } = plot, y = plot.valToPos(Number(state.trend && state.trend.limit) || 1, "y", true);
  ctx.save();
  Object.assign(ctx, { strokeStyle: colour("--critical"), lineWidth: 1.5 * devicePixelRatio });
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
  ctx.restore();
}

// ---- rendering: alerts and commands ------------------------------------------------------------------------------------
function renderCards(target, cards) {
  const stamp = JSON.stringify(cards.map(card => card.stamp));
  if (target.dataset.stamp !== stamp) {
    const focused = target.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    target.dataset.stamp = stamp;
    target.replaceChildren(...cards.map(card => card.build()));
    if (focused) [...target.querySelectorAll("[data-key]")].find(element => element.dataset.key === focused)?.focus();
  }
  for (const element of target.querySelectorAll("[data-since]")) setText(element, since(element.dataset.since));
}
function deviceButton(id, of) { return h("h3", null, h("button", { type: "button", "data-key": `device ${of}`, on: { click: () => { select(id, true); byId("trend").scrollIntoView({ block: "nearest" }); } } }, id)); }
function renderAlerts() {
  const order = alert => (alert.state === "open" ? 0 : 2) + (alert.severity === "critical" ? 0 : 1);
  const open = state.open.filter(alert => alert.state !== "cleared").sort((a, b) => order(a) - order(b) || Date.parse(b.openedAt) - Date.parse(a.openedAt));
  note("alerts-note", open.length ? "" : "no open alerts");
  renderCards(byId("alerts"), open.map(alert => ({
    stamp: [alert, state.busy.has(alert.id), state.errors.get(alert.id)], build: () => alertCard(alert),
  })));
}
function alertCard(alert) {
  const done = alert.state === "acknowledged", over = alert.state === "cleared-unacknowledged";
  const button = done ? h("span", { class: "small" }, `acknowledged by ${alert.acknowledgedBy || "someone"}${alert.acknowledgedAt ? ` at ${clock(alert.acknowledgedAt)}` : ""}`)
    : h("button", { type: "button", class: "main", disabled: state.busy.has(alert.id), "data-key": `ack ${alert.id}`, "aria-label": `Acknowledge the alert of ${alert.device}`, on: { click: () => act(alert.id, `alerts/${encodeURIComponent(alert.id)}/acknowledge`) } }, "Acknowledge");
  const failed = state.errors.get(alert.id);
  return h("li", { class: "card", "data-alert": alert.id, "data-state": alert.state, "data-severity": alert.severity, "data-quiet": done ? "yes" : "no" },
    h("div", { class: "top" }, h("span", { class: "badge", "data-severity": alert.severity }, alert.severity), deviceButton(alert.device, alert.id),
      h("span", { class: "badge", "data-severity": "quiet" }, over ? "cleared, not acknowledged" : alert.state), h("div", { class: "actions" }, button)),
    h("p", { class: "small" }, `${alert.rule || "score"} · since ${clock(alert.openedAt)} (`, h("span", { "data-since": alert.openedAt }), ` ago) · score ${number(alert.score)}, peak ${number(alert.peak)}`),
    h("ul", { class: "causes", "aria-label": "causes" }, ...list(alert.causes).map(causeRow)),
    alert.advice ? h("p", { class: "advice" }, alert.advice) : null,
    alert.scorer ? h("p", { class: "small" }, `scored by ${alert.scorer}${alert.baseline ? ` with baseline ${alert.baseline}` : ""}`) : null,
    failed ? h("p", { class: "failed", role: "alert" }, failed) : null);
}
function causeRow(cause) {
  const percent = Math.max(0, Math.min(100, (Number(cause.share) || 0) * 100)), bar = h("i");
  bar.style.width = `${percent}%`;
  const direction = cause.direction === "low" ? "▼ low" : "▲ high", expected = cause.expected == null ? "" : `, expected ${number(cause.expected)}`;
  return h("li", null, h("span", null, `${cause.signal} ${direction}`), h("span", { class: "share", title: `${Math.round(percent)} %` }, bar),
    h("span", { class: "told" }, `${Math.round(percent)} %: ${number(cause.value)}${expected}`));
}
function renderCommands() {
  const newest = [...state.commands].sort((a, b) => Date.parse(b.requestedAt) - Date.parse(a.requestedAt));
  const shown = [...newest.filter(command => command.state === "pending"), ...newest.filter(command => command.state !== "pending").slice(0, 5)];
  note("commands-note", shown.length ? "" : "no commands: a critical alert may propose one, and it waits here for approval");
  renderCards(byId("commands"), shown.map(command => ({
    stamp: [command, state.confirming === command.id, state.busy.has(command.id), state.errors.get(command.id)], build: () => commandCard(command),
  })));
}
function commandCard(command) {
  const pending = command.state === "pending", asking = pending && state.confirming === command.id, failed = state.errors.get(command.id);
  const confirm = value => { state.confirming = value; renderCommands(); byId("commands").querySelector(`[data-key="${CSS.escape(`${value ? "no" : "approve"} ${command.id}`)}"]`)?.focus(); };
  const press = (name, kind, text, click) => h("button", { type: "button", class: kind, disabled: state.busy.has(command.id), "data-key": `${name} ${command.id}`, on: { click } }, text);
  const actions = !pending ? null : asking
    ? [h("strong", null, `Send ${command.method} to ${command.device} now?`), press("yes", "danger", "Yes, send it", () => { state.confirming = null; act(command.id, `commands/${encodeURIComponent(command.id)}/approve`); }), press("no", "", "No", () => confirm(null))]
    : [press("approve", "main", "Approve …", () => confirm(command.id))];
  return h("li", { class: "card", "data-command": command.id, "data-state": command.state, "data-severity": pending ? "critical" : "", "data-quiet": pending ? "no" : "yes" },
    h("div", { class: "top" }, h("span", { class: "badge", "data-severity": pending ? "critical" : "quiet" }, pending ? "waits for approval" : command.state),
      h("strong", null, command.method), deviceButton(command.device, command.id), actions ? h("div", { class: "actions" }, ...actions) : null),
    h("p", { class: "small" }, `asked for at ${clock(command.requestedAt)}${command.reason ? ` · ${command.reason}` : ""}`),
    command.outcome ? h("p", { class: "small" }, `outcome: ${typeof command.outcome === "string" ? command.outcome : JSON.stringify(command.outcome)}`) : null,
    failed ? h("p", { class: "failed", role: "alert" }, failed) : null);
}
async function act(id, path) {
  const who = byId("who"), by = who.value.trim();
  setAttribute(who, "aria-invalid", String(!by));
  if (!by) { state.errors.set(id, "give your name at the top first: it goes into the audit log"); renderAlerts(); renderCommands(); who.focus(); return; }
  state.busy.add(id);
  state.errors.delete(id);
  renderAlerts(); renderCommands();
  try { await api(path, { by }); } catch (error) { state.errors.set(id, `not done: ${error.message}`); }
  state.busy.delete(id);
  renderAlerts(); renderCommands(); poll();
}
// ---- start ----------------------------------------------------------------------------------------------------------------
const who = byId("who");
try { who.value = localStorage.getItem("twinwright.who") || ""; } catch { /* private windows have no storage */ }
who.addEventListener("change", () => { setAttribute(who, "aria-invalid", "false"); try { localStorage.setItem("twinwright.who", who.value.trim()); } catch { /* as above */ } });
byId("tree").addEventListener("keydown", treeKey);
byId("minutes").addEventListener("change", () => { state.trend = null; renderTrend("loading the trend …"); pollTrend(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) { poll(); pollTrend(); } });
addEventListener("hashchange", () => { const id = fromHash(); if (state.machines.has(id)) select(id, false); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { dropPanels(); renderTrend(""); });
new ResizeObserver(() => { for (const { plot, box } of state.panels) if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: plot.height }); }).observe(byId("plots"));
setInterval(renderLive, 1000);
poll(); pollTrend();
})();
