// Where twins stand: each in the middle of those that hang below it, discs within discs. A plant of a thousand twins is
// laid out in some milliseconds, and always alike.

const GAP = 14, SIZE = 30;

/** Discs that must not overlap, put as near to the middle as they fit; fills in x and y. */
function pack(discs) {
  const cells = new Map(), largest = Math.max(...discs.map(disc => disc.radius)) * 2 + GAP;
  const cell = (x, y) => `${Math.floor(x / largest)}:${Math.floor(y / largest)}`;
  const free = (x, y, radius) => {
    const column = Math.floor(x / largest), row = Math.floor(y / largest);
    for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) {
      for (const other of cells.get(`${column + i}:${row + j}`) || []) {
        if (Math.hypot(other.x - x, other.y - y) < other.radius + radius) return false;
      }
    }
    return true;
  };
  let angle = 0, turn = 0;
  for (const disc of discs) {
    // Many discs: the spiral only goes outwards, which keeps this quick. Few: each looks for room from the middle on.
    if (discs.length <= 150) [angle, turn] = [0, 0];
    let x = 0, y = 0;
    while (!free(x, y, disc.radius)) {
      angle += Math.min(0.7, 6 / Math.max(turn, 6));
      turn = 5 * angle;
      [x, y] = [turn * Math.cos(angle), turn * Math.sin(angle)];
    }
    [disc.x, disc.y] = [x, y];
    const name = cell(x, y);
    if (!cells.has(name)) cells.set(name, []);
    cells.get(name).push(disc);
  }
  return Math.max(...discs.map(disc => Math.hypot(disc.x, disc.y) + disc.radius));
}

/** Places for all twins: a map from identifier to {x, y}. `edges` are pairs of source and target. */
export function place(ids, edges) {
  const below = new Map(ids.map(id => [id, []])), above = new Map(ids.map(id => [id, 0]));
  for (const [source, target] of edges) {
    if (source === target || !below.has(source) || !below.has(target)) continue;
    below.get(source).push(target);
    above.set(target, above.get(target) + 1);
  }
  // A forest: from twins that nothing leads to, breadth first; then from what only circles lead to.
  const parent = new Map(), children = new Map(ids.map(id => [id, []])), order = [];
  const grow = root => {
    if (parent.has(root)) return;
    parent.set(root, null);
    for (const queue = [root]; queue.length; ) {
      const id = queue.shift();
      order.push(id);
      for (const child of below.get(id)) {
        if (parent.has(child)) continue;
        parent.set(child, id);
        children.get(id).push(child);
        queue.push(child);
      }
    }
  };
  const weight = id => below.get(id).length;
  const roots = ids.filter(id => above.get(id) === 0).sort((one, other) => weight(other) - weight(one));
  roots.forEach(grow);
  ids.forEach(grow);
  const disc = new Map();
  for (const id of order.toReversed()) {
    const inner = children.get(id).map(child => disc.get(child)).sort((one, other) => one.radius - other.radius);
    const self = { radius: SIZE / 2 + GAP, x: 0, y: 0 };
    const radius = inner.length ? pack([self, ...inner]) + GAP : self.radius;
    disc.set(id, { id, radius, x: 0, y: 0 });
  }
  const tops = order.filter(id => parent.get(id) === null).map(id => disc.get(id));
  if (tops.length) pack(tops.sort((one, other) => other.radius - one.radius));
  const places = new Map();
  for (const id of order) {
    const from = parent.get(id) === null ? { x: 0, y: 0 } : places.get(parent.get(id));
    const { x, y } = disc.get(id);
    places.set(id, { x: from.x + x, y: from.y + y });
  }
  return places;
}
