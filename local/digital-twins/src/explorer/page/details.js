// The panel of what is selected. Everything here is text: nothing that a twin holds is read as markup.

import { healthOf, modelOf } from "./graph.js";

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
const plain = value => (typeof value === "string" ? value : JSON.stringify(value));

/** Properties as a list of terms; objects and components stand indented below their names. */
function properties(container, depth = 0) {
  const list = element("dl");
  const metadata = container.$metadata ?? {};
  for (const [name, value] of Object.entries(container)) {
    if (name === "$metadata") continue;
    const time = metadata[name]?.lastUpdateTime;
    list.append(element("dt", name, time ? { title: `last changed ${time}` } : {}));
    if (isObject(value) && depth < 8) {
      const inner = element("dd", undefined, { class: "nested" });
      inner.append(properties(value, depth + 1));
      list.append(inner);
    } else list.append(element("dd", plain(value)));
  }
  if (!list.childElementCount) list.append(element("dt", "no properties"));
  return list;
}

function listOf(title, rows) {
  if (!rows.length) return [];
  const list = element("ul", undefined, { class: "list" });
  for (const { mark, name, kind, act } of rows.slice(0, 200)) {
    const button = element("button", undefined, { type: "button" });
    button.append(mark, element("span", name, { class: "name", title: name }), element("span", kind, { class: "kind" }));
    button.addEventListener("click", act);
    const item = element("li");
    item.append(button);
    list.append(item);
  }
  const parts = [element("h3", `${title} (${rows.length})`), list];
  if (rows.length > 200) parts.push(element("p", "the first 200 are listed", { class: "note" }));
  return parts;
}

export class Details {
  constructor(graph, { onTwin, onEdge }) {
    this.graph = graph;
    this.act = { onTwin, onEdge };
    this.title = document.getElementById("details-title");
    this.body = document.getElementById("details");
  }

  #set(title, ...parts) {
    this.title.textContent = title;
    this.body.replaceChildren(...parts);
  }

  nothing() {
    this.#set("Nothing selected", element("p", "Choose a twin, a relationship or a model.", { class: "note" }));
  }

  gone(title) {
    this.#set(title, element("p", "It is not in the picture any more.", { class: "note" }));
  }

  twin(twin, edges) {
    const health = healthOf(twin), parts = [];
    if (health) {
      const score = typeof health.score === "number" ? `, score ${health.score.toFixed(2)}` : "";
      parts.push(element("p", `health: ${health.status}${score}`, { class: "health", "data-status": health.status }));
    }
    const model = element("p", undefined, { class: "mono" });
    model.append(this.graph.mark(modelOf(twin)), ` ${modelOf(twin) || "no model"}`);
    parts.push(model, properties(twin));
    const row = (edge, other) => ({
      mark: this.graph.mark(modelOf(this.graph.twin(other) ?? {})), name: other, kind: edge.$relationshipName, act: () => this.act.onTwin(other, true),
    });
    parts.push(...listOf("Leads to", edges.filter(edge => edge.$sourceId === twin.$dtId).map(edge => row(edge, edge.$targetId))));
    parts.push(...listOf("Reached from", edges.filter(edge => edge.$targetId === twin.$dtId).map(edge => row(edge, edge.$sourceId))));
    this.#set(twin.$dtId, ...parts);
  }

  edge(edge) {
    const ends = [["from", edge.$sourceId], ["to", edge.$targetId]].map(([kind, id]) => ({
      mark: this.graph.mark(modelOf(this.graph.twin(id) ?? {})), name: id, kind, act: () => this.act.onTwin(id, true),
    }));
    this.#set(`${edge.$relationshipName}: ${edge.$sourceId} → ${edge.$targetId}`, properties(edge), ...listOf("Twins", ends));
  }

  model(model, count) {
    const definition = model.model ?? {}, contents = Array.isArray(definition.contents) ? definition.contents : [];
    const display = isObject(model.displayName) ? Object.values(model.displayName)[0] : model.displayName;
    const list = element("dl");
    const term = (name, value) => { if (value !== undefined && value !== "") list.append(element("dt", name), element("dd", value)); };
    term("identifier", model.id);
    term("twins here", String(count));
    term("decommissioned", model.decommissioned ? "yes" : "no");
    term("uploaded", model.uploadTime);
    term("extends", [definition.extends ?? []].flat().map(plain).join(", "));
    for (const content of contents) term([content["@type"]].flat().filter(type => typeof type === "string").join(", "), `${plain(content.name)}${content.target ? ` → ${plain(content.target)}` : content.schema ? `: ${plain(content.schema)}` : ""}`);
    this.#set(typeof display === "string" && display ? display : model.id, list);
  }
}
