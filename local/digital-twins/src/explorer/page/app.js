// The page: token, loading, following changes, search, models, query.

import * as api from "./api.js";
import { Details, element } from "./details.js";
import { Graph, edgeKey, modelOf } from "./graph.js";

const MOST_TWINS = 3000, MOST_EDGES = 12000, MOST_ROWS = 5000, MOST_LISTED = 200, EVERY = 4000;
const $ = id => document.getElementById(id);
const number = new Intl.NumberFormat("en-GB");

let graph, details, models = [], chosen = null, chosenModel = null, hits = null, timer = 0, loading = null;

function say(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }

function complain(text) {
  $("banner").hidden = !text;
  say("banner", text ?? "");
}

function state(name, text) {
  $("live").dataset.state = name;
  say("live", text);
}

function knock(message = "") {
  clearTimeout(timer);
  loading?.abort();
  [$("door").hidden, $("rooms").hidden, $("leave").hidden] = [false, true, true];
  say("login-note", message);
  state("loading", "not connected");
  $("token").focus();
}

async function enter() {
  [$("door").hidden, $("rooms").hidden, $("leave").hidden] = [true, false, false];
  if (!graph) {
    graph = new Graph($("canvas"), { onTwin: id => chooseTwin(id, false), onEdge: chooseEdge, onNothing: () => choose(null) });
    details = new Details(graph, { onTwin: chooseTwin, onEdge: chooseEdge });
  }
  await load();
}

/** Loads everything anew and shows what changed; then again after some time, while somebody looks. */
async function load() {
  clearTimeout(timer);
  loading?.abort();
  const own = (loading = new AbortController()), { signal } = own, began = performance.now();
  try {
    const [list, twinCount, edgeCount] = await Promise.all([api.models(signal), api.count("DIGITALTWINS", signal), api.count("RELATIONSHIPS", signal)]);
    const twins = await api.query("SELECT * FROM DIGITALTWINS", MOST_TWINS, signal);
    const edges = await api.query("SELECT * FROM RELATIONSHIPS", MOST_EDGES, signal);
    if (signal.aborted) return;
    models = list;
    // Twins that a query brought in stay, also when there are too many to show them all.
    const rows = new Map(twins.rows.map(twin => [twin.$dtId, twin]));
    if (twins.more) for (const twin of hits?.extra ?? []) if (!rows.has(twin.$dtId)) rows.set(twin.$dtId, twin);
    models.forEach(model => graph.look(model.id));
    graph.show([...rows.values()], edges.rows);
    say("count-models", number.format(models.length));
    say("count-twins", number.format(twinCount));
    say("count-relationships", number.format(edgeCount));
    say("picture-note", twins.more || edges.more
      ? `the first ${number.format(twins.rows.length)} of ${number.format(twinCount)} twins; run a query to bring in others`
      : twinCount ? "" : "no twins yet: what is created appears here");
    drawModels();
    search();
    refreshDetails();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof api.Refused && error.status === 401) {
      api.forgetToken();
      return knock("The service does not know this token: copy it again.");
    }
    state("offline", "no answer");
    complain(`${error.message}. The picture may be out of date; it is tried again.`);
    return again(EVERY);
  }
  complain(null);
  state("live", `as of ${new Date().toLocaleTimeString("en-GB")}`);
  // A large graph is asked for less often: at most a tenth of the time goes into loading.
  again(Math.max(EVERY, 10 * (performance.now() - began)));
}

function again(wait) {
  clearTimeout(timer);
  if ($("follow").checked && !document.hidden) timer = setTimeout(load, wait);
}

function choose(what) {
  chosen = what;
  chosenModel = null;
  graph.choose(what);
  refreshDetails();
  drawModels();
  markListed();
}

function chooseTwin(id, move) {
  choose({ twin: id });
  if (move) graph.reveal(id);
}

const chooseEdge = key => choose({ edge: key });

let shown = "";
function refreshDetails() {
  const twin = chosen?.twin && graph.twin(chosen.twin), edge = chosen?.edge && graph.edge(chosen.edge);
  const edges = twin ? graph.edgesOf(twin.$dtId) : [];
  const now = JSON.stringify([chosen, chosenModel, twin?.$etag, edge?.$etag, edges.map(edgeKey)]);
  // What has not changed is not drawn anew: that would take the focus away, and have it read out again.
  if (now === shown) return;
  shown = now;
  if (chosenModel) details.model(models.find(model => model.id === chosenModel) ?? { id: chosenModel }, countOf(chosenModel));
  else if (!chosen) details.nothing();
  else if (twin) details.twin(twin, edges);
  else if (edge) details.edge(edge);
  else details.gone(chosen.twin ?? "Relationship");
}

const countOf = id => [...graph.twins.values()].filter(twin => modelOf(twin) === id).length;

function drawModels() {
  const counts = new Map();
  for (const twin of graph.twins.values()) counts.set(modelOf(twin), (counts.get(modelOf(twin)) ?? 0) + 1);
  const ids = [...new Set([...models.map(model => model.id), ...counts.keys()])];
  ids.sort((one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0) || one.localeCompare(other));
  const now = JSON.stringify([ids.map(id => [id, counts.get(id)]), chosenModel]);
  if ($("models").dataset.shown === now) return;
  $("models").dataset.shown = now;
  const focused = document.activeElement?.dataset?.model;
  $("models").replaceChildren(...ids.map(id => {
    const item = element("li"), button = element("button", undefined, { type: "button", title: id, "aria-pressed": String(chosenModel === id), "data-model": id });
    const short = id.replace(/^dtmi:/, "").replace(/;(.*)$/, " $1").split(":").at(-1);
    button.append(graph.mark(id), element("span", short || "no model", { class: "name" }), element("span", number.format(counts.get(id) ?? 0), { class: "count" }));
    button.addEventListener("click", () => chooseModel(id));
    item.append(button);
    return item;
  }));
  if (focused !== undefined) [...$("models").querySelectorAll("button")].find(button => button.dataset.model === focused)?.focus();
}

function chooseModel(id) {
  const off = chosenModel === id;
  choose(null);
  chosenModel = off ? null : id;
  mark(off ? null : { ids: new Set([...graph.twins.values()].filter(twin => modelOf(twin) === id).map(twin => twin.$dtId)), keys: new Set() });
  refreshDetails();
  drawModels();
}

/** Highlights, or (null) takes highlights away. */
function mark(found) {
  hits = found;
  graph.highlight(found?.ids ?? new Set(), found?.keys ?? new Set());
  $("clear").disabled = !found;
}

/** Twins whose identifier, model or any value holds the text. */
function search() {
  const text = $("search").value.trim().toLowerCase(), twins = [...graph.twins.values()];
  const holds = value => (value !== null && typeof value === "object" ? Object.entries(value).some(([key, inner]) => key !== "$metadata" && key !== "$etag" && holds(inner)) : String(value).toLowerCase().includes(text));
  const found = text ? twins.filter(twin => modelOf(twin).toLowerCase().includes(text) || holds(twin)) : twins;
  const now = JSON.stringify([found.length, found.slice(0, MOST_LISTED).map(twin => [twin.$dtId, modelOf(twin)])]);
  say("found-note", text ? `${number.format(found.length)} found` : found.length > MOST_LISTED ? `the first ${MOST_LISTED} are listed` : "");
  if ($("found").dataset.shown === now) return;
  $("found").dataset.shown = now;
  const focused = document.activeElement?.dataset?.twin;
  $("found").replaceChildren(...found.slice(0, MOST_LISTED).map(twin => {
    const item = element("li"), button = element("button", undefined, { type: "button", "data-twin": twin.$dtId, title: twin.$dtId });
    button.append(graph.mark(modelOf(twin)), element("span", twin.$dtId, { class: "name" }));
    button.addEventListener("click", () => chooseTwin(twin.$dtId, true));
    item.append(button);
    return item;
  }));
  if (focused !== undefined) [...$("found").querySelectorAll("button")].find(button => button.dataset.twin === focused)?.focus();
  markListed();
}

function markListed() {
  for (const button of $("found").querySelectorAll("button")) {
    if (button.dataset.twin === chosen?.twin) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

/** Twins and relationships anywhere in the rows: whole ones, and identifiers under their own names. */
function gather(rows) {
  const ids = new Set(), keys = new Set(), extra = [];
  const visit = (value, depth) => {
    if (value === null || typeof value !== "object" || depth > 2) return;
    if (typeof value.$dtId === "string") {
      ids.add(value.$dtId);
      if (value.$metadata && value.$etag) extra.push(value);
      return;
    }
    if (typeof value.$relationshipId === "string" && typeof value.$sourceId === "string") return void keys.add(edgeKey(value));
    for (const name of ["$sourceId", "$targetId"]) if (typeof value[name] === "string") ids.add(value[name]);
    for (const inner of Object.values(value)) {
      if (typeof inner === "string" && graph.twins.has(inner)) ids.add(inner);
      else visit(inner, depth + 1);
    }
  };
  rows.forEach(row => visit(row, 0));
  return { ids, keys, extra };
}

async function ask(event) {
  event?.preventDefault();
  $("run").disabled = true;
  say("answer-note", "running …");
  try {
    const began = performance.now(), { rows, more, charge } = await api.query($("query").value, MOST_ROWS);
    const found = gather(rows), missing = found.extra.filter(twin => !graph.twins.has(twin.$dtId));
    mark(found.ids.size + found.keys.size ? found : null);
    if (missing.length) await load();
    if (missing.length) mark(found);
    const highlighted = [...found.ids].filter(id => graph.twins.has(id)).length + found.keys.size;
    say("answer-note", `${number.format(rows.length)}${more ? " first" : ""} rows, ${number.format(highlighted)} highlighted, ${Math.round(performance.now() - began)} ms, charge ${charge.toFixed(1)}`);
    table(rows);
  } catch (error) {
    if (error instanceof api.Refused && error.status === 401) return knock("The service does not know this token: copy it again.");
    say("answer-note", error.message);
    $("answer").hidden = true;
  } finally {
    $("run").disabled = false;
  }
}

function table(rows) {
  const first = rows.slice(0, MOST_LISTED), columns = [...new Set(first.flatMap(row => Object.keys(row)))].filter(name => name !== "$etag" && name !== "$metadata").slice(0, 30);
  const made = element("table"), head = element("tr");
  head.append(...columns.map(name => element("th", name, { scope: "col" })));
  made.append(head, ...first.map(row => {
    const line = element("tr");
    line.append(...columns.map(name => {
      const value = row[name], whole = value?.$dtId ?? value?.$relationshipId;
      const text = value === undefined ? "" : whole ?? (typeof value === "string" ? value : JSON.stringify(value));
      return element("td", text, { title: text });
    }));
    return line;
  }));
  $("answer").hidden = rows.length === 0;
  $("answer").replaceChildren(made);
}

$("login").addEventListener("submit", event => {
  event.preventDefault();
  api.keepToken($("token").value.trim());
  $("token").value = "";
  enter();
});
$("leave").addEventListener("click", () => { api.forgetToken(); location.reload(); });
$("search").addEventListener("input", search);
$("search").addEventListener("keydown", event => { if (event.key === "Enter") $("found").querySelector("button")?.click(); });
$("ask").addEventListener("submit", ask);
$("query").addEventListener("keydown", event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(event); });
$("fit").addEventListener("click", () => graph.fit());
$("closer").addEventListener("click", () => graph.zoom(1.4));
$("farther").addEventListener("click", () => graph.zoom(1 / 1.4));
$("clear").addEventListener("click", () => { chosenModel = null; mark(null); drawModels(); refreshDetails(); });
$("follow").addEventListener("change", () => ($("follow").checked ? load() : clearTimeout(timer)));
document.addEventListener("visibilitychange", () => { if (!document.hidden && api.token() && graph && $("follow").checked) load(); });
addEventListener("hashchange", () => { api.takeTokenFromAddress(); if (api.token()) enter(); });

api.takeTokenFromAddress();
if (api.token()) enter();
else knock();
