// The picture: what is drawn, in which colours, and what is highlighted.

import cytoscape from "./vendor/cytoscape.esm.min.mjs";
import { place } from "./layout.js";

// Colours that people with each kind of colour blindness can tell apart (after Okabe and Ito), on light and on dark.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b0578d", "#8a6d00", "#3a8fc4", "#6f4fb3", "#7a7f87"];
const SHAPES = ["ellipse", "round-rectangle", "diamond", "hexagon", "round-triangle", "pentagon", "octagon", "star"];
const SVG = {
  ellipse: '<circle cx="8" cy="8" r="6.5"/>', "round-rectangle": '<rect x="1.5" y="1.5" width="13" height="13" rx="3"/>',
  diamond: '<path d="M8 .8 15.2 8 8 15.2.8 8z"/>', hexagon: '<path d="M4.5 2h7l4 6-4 6h-7l-4-6z"/>', "round-triangle": '<path d="M8 1.5 15 14H1z"/>',
  pentagon: '<path d="M8 1l7 5.2-2.7 8.3H3.7L1 6.2z"/>', octagon: '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/>',
  star: '<path d="M8 .8l2.2 4.8 5.2.6-3.9 3.5 1.1 5.2L8 12.3l-4.6 2.6 1.1-5.2L.6 6.2l5.2-.6z"/>',
};

export const edgeKey = edge => JSON.stringify([edge.$sourceId, edge.$relationshipId]);
const nodeKey = id => `twin ${id}`;

export class Graph {
  #cy;
  #look = new Map();
  #twins = new Map();
  #edges = new Map();
  #colours = {};

  constructor(container, { onTwin, onEdge, onNothing }) {
    this.#cy = cytoscape({ container, minZoom: 0.01, maxZoom: 4, boxSelectionEnabled: false, autoungrabify: false, hideEdgesOnViewport: false, textureOnViewport: false });
    this.#cy.on("tap", event => {
      if (event.target === this.#cy) onNothing();
      else if (event.target.isNode()) onTwin(event.target.data("twin"));
      else onEdge(event.target.data("edge"));
    });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.paint());
    this.paint();
    new ResizeObserver(() => this.#cy.resize()).observe(container);
  }

  /** A colour and a shape for each model; the next free pair, so that they stay while models come. */
  look(model) {
    if (!this.#look.has(model)) {
      const number = this.#look.size;
      this.#look.set(model, { colour: COLOURS[number % COLOURS.length], shape: SHAPES[(number + Math.floor(number / COLOURS.length)) % SHAPES.length] });
    }
    return this.#look.get(model);
  }

  /** The same as a small picture for legends and lists. */
  mark(model) {
    const { colour, shape } = this.look(model);
    const image = document.createElement("img");
    image.className = "mark";
    image.alt = "";
    image.src = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${colour}">${SVG[shape]}</svg>`)}`;
    return image;
  }

  paint() {
    const style = getComputedStyle(document.documentElement), value = name => style.getPropertyValue(name).trim();
    const status = { healthy: value("--healthy"), warning: value("--warning"), critical: value("--critical") };
    const wash = value("--card"), text = value("--text");
    this.#cy.style([
      { selector: "node", style: {
        width: 30, height: 30, "background-color": "data(colour)", shape: "data(shape)", label: "data(label)", color: text, "font-size": 11,
        "text-valign": "bottom", "text-margin-y": 3, "min-zoomed-font-size": 8, "text-max-width": 110, "text-wrap": "ellipsis",
        "text-background-color": wash, "text-background-opacity": 0.75, "text-background-padding": 1 } },
      ...Object.entries(status).map(([name, colour]) => ({ selector: `node[health = "${name}"]`, style: { "border-width": name === "healthy" ? 3 : 6, "border-color": colour, "border-style": name === "warning" ? "double" : "solid" } })),
      { selector: "edge", style: { width: 1.2, "line-color": value("--edge"), "target-arrow-color": value("--edge"), "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier",
        color: text, "font-size": 10, "min-zoomed-font-size": 8, "text-background-color": wash, "text-background-opacity": 0.85, "text-background-padding": 2, "text-rotation": "autorotate" } },
      { selector: ".dim", style: { opacity: 0.16 } },
      { selector: "node.hit", style: { "underlay-color": value("--hit"), "underlay-shape": "ellipse", "underlay-opacity": 0.55, "underlay-padding": 9, "z-index": 5 } },
      { selector: "edge.hit", style: { width: 3, "line-color": value("--hit"), "target-arrow-color": value("--hit"), "z-index": 5 } },
      { selector: "edge.near", style: { label: "data(label)", width: 2, "line-color": value("--accent"), "target-arrow-color": value("--accent"), opacity: 1, "z-index": 6 } },
      { selector: "node.near", style: { opacity: 1 } },
      { selector: "node.chosen", style: { "underlay-color": value("--accent"), "underlay-shape": "ellipse", "underlay-opacity": 0.45, "underlay-padding": 12, opacity: 1, "z-index": 9 } },
      { selector: "edge.chosen", style: { width: 4, label: "data(label)", "line-color": value("--accent"), "target-arrow-color": value("--accent"), opacity: 1, "z-index": 9 } },
    ]);
  }

  twin(id) { return this.#twins.get(id); }
  edge(key) { return this.#edges.get(key); }
  get twins() { return this.#twins; }
  edgesOf(id) { return [...this.#edges.values()].filter(edge => edge.$sourceId === id || edge.$targetId === id); }

  #nodeData(twin) {
    const { colour, shape } = this.look(modelOf(twin));
    return { id: nodeKey(twin.$dtId), twin: twin.$dtId, label: labelOf(twin), colour, shape, health: healthOf(twin)?.status ?? "" };
  }

  /** Shows these twins and relationships; what was there stays where it is. */
  show(twins, edges) {
    const first = this.#twins.size === 0, added = [], fresh = new Set();
    const wantedTwins = new Map(twins.map(twin => [twin.$dtId, twin]));
    const wantedEdges = new Map(edges.filter(edge => wantedTwins.has(edge.$sourceId) && wantedTwins.has(edge.$targetId)).map(edge => [edgeKey(edge), edge]));
    this.#cy.batch(() => {
      for (const key of this.#edges.keys()) if (!wantedEdges.has(key)) this.#cy.getElementById(key).remove();
      for (const id of this.#twins.keys()) if (!wantedTwins.has(id)) this.#cy.getElementById(nodeKey(id)).remove();
      for (const [id, twin] of wantedTwins) {
        const old = this.#twins.get(id);
        if (!old) { fresh.add(id); added.push({ group: "nodes", data: this.#nodeData(twin) }); }
        else if (old.$etag !== twin.$etag) this.#cy.getElementById(nodeKey(id)).data(this.#nodeData(twin));
      }
      for (const [key, edge] of wantedEdges) {
        if (this.#edges.has(key) && this.#edges.get(key).$targetId === edge.$targetId) continue;
        added.push({ group: "edges", data: { id: key, edge: key, label: edge.$relationshipName, source: nodeKey(edge.$sourceId), target: nodeKey(edge.$targetId) } });
      }
      this.#cy.add(added);
    });
    [this.#twins, this.#edges] = [wantedTwins, wantedEdges];
    if (fresh.size > 0 && (first || fresh.size > wantedTwins.size / 4)) this.#layOut();
    else this.#settle(fresh);
    return fresh.size;
  }

  #layOut() {
    const places = place([...this.#twins.keys()], [...this.#edges.values()].map(edge => [edge.$sourceId, edge.$targetId]));
    this.#cy.batch(() => places.forEach((position, id) => this.#cy.getElementById(nodeKey(id)).position(position)));
    this.fit();
  }

  /** A few new twins stand beside what they belong to, and nothing else moves. */
  #settle(fresh) {
    let turn = 0;
    for (const id of fresh) {
      const node = this.#cy.getElementById(nodeKey(id));
      const neighbour = node.neighborhood("node").filter(other => !fresh.has(other.data("twin"))).first();
      const box = this.#cy.nodes().boundingBox({ includeLabels: false });
      const from = neighbour.nonempty() ? neighbour.position() : { x: box.x2 + 60, y: (box.y1 + box.y2) / 2 };
      turn += 2.4;
      node.position({ x: from.x + (50 + 4 * turn) * Math.cos(turn), y: from.y + (50 + 4 * turn) * Math.sin(turn) });
    }
  }

  fit() { this.#cy.fit(undefined, 25); }
  zoom(factor) { this.#cy.zoom({ level: this.#cy.zoom() * factor, renderedPosition: { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } }); }

  /** Marks one twin or relationship, and what touches it. */
  choose(element) {
    this.#cy.batch(() => {
      this.#cy.elements(".chosen, .near").removeClass("chosen near");
      const chosen = element?.twin ? this.#cy.getElementById(nodeKey(element.twin)) : element?.edge ? this.#cy.getElementById(element.edge) : null;
      if (!chosen?.nonempty()) return;
      chosen.addClass("chosen");
      if (chosen.isNode() && chosen.degree(true) <= 60) chosen.connectedEdges().addClass("near").connectedNodes().addClass("near");
    });
  }

  /** Moves a twin into view, if it is out of it or too small to see. */
  reveal(id) {
    const node = this.#cy.getElementById(nodeKey(id));
    if (node.empty()) return;
    const zoom = Math.max(this.#cy.zoom(), 0.8), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (still) this.#cy.zoom(zoom).center(node);
    else this.#cy.animate({ center: { eles: node }, zoom, duration: 250 });
  }

  /** Marks twins and relationships, and dims the rest; nothing to mark clears all of that. */
  highlight(ids, keys) {
    this.#cy.batch(() => {
      this.#cy.elements().removeClass("hit dim");
      if (ids.size + keys.size === 0) return;
      this.#cy.nodes().forEach(node => { node.addClass(ids.has(node.data("twin")) ? "hit" : "dim"); });
      this.#cy.edges().forEach(edge => {
        const between = ids.has(edge.source().data("twin")) && ids.has(edge.target().data("twin"));
        if (keys.has(edge.id())) edge.addClass("hit");
        else if (!between) edge.addClass("dim");
      });
    });
    const hits = this.#cy.elements(".hit");
    if (hits.nonempty()) this.#cy.fit(hits, 60);
    if (this.#cy.zoom() > 1.4) this.#cy.zoom(1.4).center(hits);
  }
}

export const modelOf = twin => twin.$metadata?.$model ?? "";
const labelOf = twin => (typeof twin.name === "string" && twin.name && twin.name !== twin.$dtId ? `${twin.$dtId} · ${twin.name}` : twin.$dtId);

/** What a twin says of its own health: a component or object of that name, or a property. */
export function healthOf(twin) {
  const health = twin.health;
  if (typeof health === "string") return { status: health };
  if (health && typeof health === "object" && typeof health.status === "string") return { status: health.status, score: health.score };
  return null;
}
