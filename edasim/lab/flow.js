// The message flow of one or more runs on one clock: dots for messages, drawn on a canvas.
//
// Nothing is simulated here. A run comes as arrays (see edasim/pictures/flow_data.py), and everything shown at a time
// is looked up in them: counts by two binary searches, a dot's place by a search among the segments of its token.
// Names that users choose reach the page as text only, never as HTML.

const FADE_S = 0.25; // how long a dot that is gone fades out, in seconds of the viewer
const HOP_S = 0.32; // how long the eye needs to follow a hop, in seconds of the viewer
const LONGEST_HOP_S = 0.6; // and at most in seconds of the run, so that fast playing does not lag behind
const MOST_MOVING = 110; // about so many dots of a panel are on their way at once, so that one can tell them apart
const MOVING_S = 0.05; // what takes longer than this waits at its sender and then moves
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 20];
const KINDS = ["message", "retry", "failed", "dead", "duplicate", "lost", "yes", "no", "left"];
const WORDS = {
  message: "message", retry: "tried again", failed: "attempt failed", dead: "dead letter", duplicate: "duplicate",
  lost: "lost or thrown away", yes: "customer is told yes", no: "customer is told no, or leaves",
  left: "its customer has left",
};
const [MESSAGE, RETRY, FAILED, , , , YES, NO, LEFT] = KINDS.keys();
const DISTANCE = 130; // a hop of this length on the picture takes HOP_S
let instances = 0;

// --- looking up ------------------------------------------------------------------------------------------------

const ARRAYS = { int8: Int8Array, int16: Int16Array, int32: Int32Array, float64: Float64Array };

function unpacked({ type, bytes }) {
  const text = atob(bytes);
  const raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) raw[i] = text.charCodeAt(i);
  return new ARRAYS[type](raw.buffer);
}

/** How many of the sorted values are at most x. */
function upTo(values, x) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle + 1; else high = middle;
  }
  return low;
}

class Data {
  constructor(panel) {
    Object.assign(this, panel);
    for (const [name, array] of Object.entries(panel.arrays)) this[name] = unpacked(array);
    this.customers = Object.fromEntries(Object.entries(panel.customers).map(([name, a]) => [name, unpacked(a)]));
    this.tokens = this.order.length;
    this.segments = this.start_s.length;
    this._stops();
    this._stays();
    this._births();
    this._hops();
  }

  _stops() {
    this.stop_s = new Float64Array(this.segments);
    for (let k = 0; k < this.tokens; k++) {
      const last = this.first[k + 1] - 1;
      for (let i = this.first[k]; i < last; i++) this.stop_s[i] = this.start_s[i + 1];
      this.stop_s[last] = this.end_s[k];
    }
  }

  _stays() {
    const begins = this.nodes.map(() => []), ends = this.nodes.map(() => []);
    for (let i = 0; i < this.segments; i++) {
      if (this.source[i] !== this.target[i]) continue;
      begins[this.target[i]].push(this.start_s[i]);
      ends[this.target[i]].push(this.stop_s[i]);
    }
    this.begins = begins.map((list) => Float64Array.from(list).sort());
    this.ends = ends.map((list) => Float64Array.from(list).sort());
  }

  /** Tokens in the order of their births, and for each the latest death so far: both ends of what is alive at a time. */
  _births() {
    this.births = Array.from({ length: this.tokens }, (_, k) => k)
      .sort((a, b) => this.start_s[this.first[a]] - this.start_s[this.first[b]]);
    this.birth_s = Float64Array.from(this.births, (k) => this.start_s[this.first[k]]);
    this.parked = new Uint8Array(this.tokens);
    this.deaths = new Float64Array(this.tokens);
    let latest = -Infinity;
    this.births.forEach((k, place) => {
      const last = this.first[k + 1] - 1;
      this.parked[k] = this.end_s[k] === Infinity && this.nodes[this.target[last]].role === "dead" ? 1 : 0;
      latest = Math.max(latest, this.parked[k] ? this.start_s[last] : this.end_s[k]);
      this.deaths[place] = latest;
    });
  }

  _hops() {
    this.hop = new Float32Array(this.segments);
    let hops = 0;
    for (let i = 0; i < this.segments; i++) {
      const a = this.nodes[this.source[i]], b = this.nodes[this.target[i]];
      const far = Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2);
      this.hop[i] = a === b ? (this.kind[i] === FAILED || this.kind[i] === NO ? 1 : 0) : Math.max(0.45, far / DISTANCE);
      hops += a === b ? 0 : this.hop[i];
    }
    const placed = this.customers.placed;
    this.hops_per_s = hops / Math.max(1, placed.length ? placed[placed.length - 1] : this.until_s);
  }

  /** How many tokens rest at a node at a time: what comes at that instant is there, what leaves is not. */
  count(node, t) {
    return upTo(this.begins[node], t) - upTo(this.ends[node], t);
  }

  most(node) {
    let most = 0, j = 0;
    const begins = this.begins[node], ends = this.ends[node];
    for (let i = 0; i < begins.length; i++) {
      while (j < ends.length && ends[j] <= begins[i]) j++;
      most = Math.max(most, i + 1 - j);
    }
    return most;
  }

  customersAt(t) {
    const at = (name) => upTo(this.customers[name], t);
    const [placed, accepted, refused, done] = ["placed", "accepted", "refused", "done"].map(at);
    return { placed, accepted, refused, done, waiting: placed - accepted - refused };
  }

  workersAt(service, t) {
    let workers = 0;
    for (const change of this.capacities) {
      if (change.from_s <= t) workers = change.workers[service] ?? 0;
    }
    return workers;
  }

  /** [from, to) among `births` of the tokens that may be seen at t, when a dot lags up to `lag_s` behind. */
  alive(t, lag_s) {
    return [upTo(this.deaths, t - lag_s), upTo(this.birth_s, t)];
  }

  /**
   * Where token k is drawn at t when a hop of the usual length takes `hop_s` (0: exactly as it was).
   * Writes {segment, from, to} into `found`; false when it is not to be seen.
   */
  locate(k, t, hop_s, fade_s, found) {
    const last = this.first[k + 1] - 1;
    let cursor = -Infinity;
    for (let i = this.first[k]; i <= last; i++) {
      const from = Math.max(this.start_s[i], cursor);
      if (from > t) return false;
      const to = Math.max(this.stop_s[i], from + this.hop[i] * hop_s);
      if (t < to) {
        found.segment = i; found.from = from; found.to = to; found.faded = 0;
        return true;
      }
      cursor = to;
    }
    if (t >= cursor + fade_s) return false;
    found.segment = last; found.from = cursor; found.to = cursor; found.faded = (t - cursor) / fade_s;
    return true;
  }
}

// --- colours ---------------------------------------------------------------------------------------------------

const LIGHT = { ink: "#222222", quiet: "#666666", line: "#B4B4B4", box: "#FFFFFF", fill: "#F4F4F4", fault: "#9A9A9A", page: "#FFFFFF" };
const DARK = { ink: "#EEEEEE", quiet: "#ABABAB", line: "#5C5C5C", box: "#1D1F21", fill: "#2B2D30", fault: "#8C8C8C", page: "#121314" };

function channels(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
}

function luminance(parts) {
  const [r, g, b] = parts.map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The colour, moved towards ink until it stands out from the page as text does (4.5 to 1). */
function readable(colour, theme) {
  const page = luminance(channels(theme.page)), towards = theme === DARK ? 1 : 0;
  let parts = channels(colour);
  const contrast = () => {
    const own = luminance(parts);
    return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05);
  };
  for (let i = 0; i < 60 && contrast() < 4.5; i++) parts = parts.map((x) => x + (towards - x) * 0.05);
  return `rgb(${parts.map((x) => Math.round(x * 255)).join(",")})`;
}

function isDark(el) {
  for (let one = el; one; one = one.parentElement) {
    const [r, g, b, a = 1] = (getComputedStyle(one).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    if (a > 0.5) return luminance([r / 255, g / 255, b / 255]) < 0.3;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches && document.documentElement.dataset.scheme === "both";
}

// --- shapes ----------------------------------------------------------------------------------------------------

/** Draw one kind of dot around (0, 0); told apart by shape as well as by colour. */
function shape(ctx, kind, r, colour, theme) {
  ctx.lineWidth = Math.max(1, r * 0.3);
  ctx.lineCap = "round";
  ctx.strokeStyle = theme.ink;
  ctx.beginPath();
  const filled = (fill, edge = true) => {
    ctx.fillStyle = fill;
    ctx.fill();
    if (edge) ctx.stroke();
  };
  switch (KINDS[kind]) {
    case "message": ctx.arc(0, 0, r, 0, 7); filled(colour, false); break;
    case "left": ctx.arc(0, 0, r * 0.85, 0, 7); filled(theme.fault, false); break;
    case "yes": ctx.arc(0, 0, r * 0.5, 0, 7); filled(colour, false); break;
    case "duplicate":
      ctx.arc(0, 0, r * 0.9, 0, 7); ctx.strokeStyle = "#CC79A7"; ctx.lineWidth = r * 0.65; ctx.stroke(); break;
    case "retry":
      for (const turn of [0, 1, 2]) ctx.lineTo(1.35 * r * Math.sin(turn * 2.0944), -1.35 * r * Math.cos(turn * 2.0944));
      ctx.closePath(); filled("#F0E442"); break;
    case "dead": ctx.rect(-r, -r, 2 * r, 2 * r); filled("#56B4E9"); break;
    case "lost":
      ctx.moveTo(0, -1.4 * r); ctx.lineTo(1.1 * r, 0); ctx.lineTo(0, 1.4 * r); ctx.lineTo(-1.1 * r, 0);
      ctx.closePath(); filled("#CC79A7"); break;
    case "failed":
      ctx.lineWidth = r * 0.65;
      for (const s of [-1, 1]) { ctx.moveTo(-r, -r * s); ctx.lineTo(r, r * s); }
      ctx.stroke(); break;
    case "no":
      ctx.lineWidth = r * 0.5; ctx.arc(0, 0, r, 0, 7); ctx.moveTo(-0.7 * r, 0.7 * r); ctx.lineTo(0.7 * r, -0.7 * r);
      ctx.stroke(); break;
  }
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  return canvas;
}

/** A drawing of a kind, to be stamped many times. */
function stamp(kind, r, colour, theme, ratio) {
  const size = Math.ceil(r * 4 * ratio);
  const canvas = canvasOf(size, size), ctx = canvas.getContext("2d");
  ctx.translate(size / 2, size / 2);
  ctx.scale(ratio, ratio);
  shape(ctx, kind, r, colour, theme);
  return canvas;
}

function hatch(ctx, x, y, width, height, colour) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  for (let at = x - height; at < x + width; at += 6) { ctx.moveTo(at, y + height); ctx.lineTo(at + height, y); }
  ctx.stroke();
  ctx.restore();
}

function box(ctx, x, y, width, height, radius = 4) {
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, radius);
}

function fitted(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && ctx.measureText(text.slice(0, length) + "…").width > width) length--;
  return text.slice(0, length) + "…";
}

// --- one architecture ------------------------------------------------------------------------------------------

const R = 3.4;
const MIDDLE = "middle";

class PanelView {
  constructor(data, host) {
    this.data = data;
    this.el = document.createElement("section");
    this.el.className = "edasim-flow-panel";
    this.el.setAttribute("aria-label", data.title);
    const head = document.createElement("header");
    this.name = document.createElement("h3");
    this.name.textContent = data.title;
    this.facts = document.createElement("p");
    head.append(this.name, this.facts);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Messages on their way through ${data.title}; the numbers are in the table below`);
    this.el.append(head, this.canvas);
    if (data.not_applicable.length) {
      const note = document.createElement("p");
      note.className = "edasim-flow-note";
      note.textContent = `Not applicable here: ${data.not_applicable.join(", ")}.`;
      this.el.append(note);
    }
    host.append(this.el);
    this.found = {};
    this.drawn = [];
    this.ways = new Map();
  }

  /** A new size or theme: what does not move is drawn once, and dots are stamped from drawings. */
  fit(width, theme, most, ratio) {
    this.scale = Math.min(1.5, width / this.data.width);
    this.theme = theme;
    this.most = most;
    this.colour = readable(this.data.colour, theme);
    this.name.style.color = this.colour;
    this.font = Math.min(12.5, Math.max(9, 11 / Math.sqrt(this.scale)));
    this.pixels = ratio * this.scale;
    this.canvas.width = Math.round(this.data.width * this.pixels);
    this.canvas.height = Math.round(this.data.height * this.pixels);
    this.canvas.style.width = `${this.data.width * this.scale}px`;
    this.canvas.style.height = `${this.data.height * this.scale}px`;
    this.stamps = KINDS.map((_, kind) => stamp(kind, R, this.colour, theme, this.pixels));
    this.ground = canvasOf(this.canvas.width, this.canvas.height);
    const ctx = this.ground.getContext("2d");
    ctx.scale(this.pixels, this.pixels);
    this._drawGround(ctx);
  }

  _type(ctx, colour, { bold = false, size = 1, align = "left", base = "alphabetic" } = {}) {
    ctx.font = `${bold ? "600 " : ""}${(this.font * size).toFixed(2)}px system-ui, "DejaVu Sans", sans-serif`;
    ctx.fillStyle = colour;
    ctx.textAlign = align;
    ctx.textBaseline = base;
  }

  _drawGround(ctx) {
    const { data, theme } = this;
    for (const frame of data.frames) {
      ctx.lineWidth = 1.2;
      ctx.strokeStyle = frame.kind === "process" ? this.colour : theme.line;
      box(ctx, frame.x, frame.y, frame.width, frame.height, 8);
      ctx.stroke();
      this._type(ctx, theme.ink, { bold: true });
      ctx.fillText(frame.title, frame.x + 8, frame.y + 16);
      const after = ctx.measureText(frame.title).width + 16;
      this._type(ctx, theme.quiet, { size: 0.92 });
      const beside = frame.kind === "process";
      ctx.fillText(fitted(ctx, frame.note, frame.width - (beside ? after + 8 : 12)),
        frame.x + (beside ? after : 8), frame.y + (beside ? 16 : frame.height - 6));
    }
    ctx.strokeStyle = theme.line;
    ctx.lineWidth = 1;
    for (const [a, b] of data.ways) {
      const way = this._way(a, b);
      ctx.globalAlpha = way.back ? 0.45 : 0.8;
      ctx.setLineDash(way.back ? [3, 3] : []);
      ctx.beginPath();
      ctx.moveTo(way.x[0], way.y[0]);
      ctx.bezierCurveTo(way.x[1], way.y[1], way.x[2], way.y[2], way.x[3], way.y[3]);
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
    ctx.setLineDash([]);
    for (const caption of data.captions) {
      this._type(ctx, theme.quiet, { size: 0.92, align: "center" });
      ctx.fillText(caption.text, caption.x + caption.width / 2, 13);
    }
    for (const node of data.nodes) this._drawBox(ctx, node);
  }

  _drawBox(ctx, node) {
    const { theme } = this, aside = node.role === "dead" || node.role === "again";
    box(ctx, node.x, node.y, node.width, node.height);
    ctx.fillStyle = node.role === "work" || node.role === "open" ? theme.fill : theme.box;
    ctx.fill();
    ctx.lineWidth = 1.2;
    ctx.setLineDash(aside ? [3, 2] : []);
    ctx.strokeStyle = node.role === "inbox" || node.role === "hub" ? this.colour : theme.line;
    ctx.stroke();
    ctx.setLineDash([]);
    if (node.lanes > 1) {
      ctx.globalAlpha = 0.5;
      ctx.strokeStyle = theme.line;
      ctx.lineWidth = 0.6;
      ctx.beginPath();
      for (let lane = 1; lane < node.lanes; lane++) {
        const y = node.y + node.height * lane / node.lanes;
        ctx.moveTo(node.x + 1, y);
        ctx.lineTo(node.x + node.width - 1, y);
      }
      ctx.stroke();
      ctx.globalAlpha = 1;
    }
    this._drawWords(ctx, node);
  }

  _drawWords(ctx, node) {
    const { theme } = this, centre = node.x + node.width / 2, middle = node.y + node.height / 2;
    if (node.role === "producer" || node.role === "hub") {
      this._type(ctx, theme.ink, { bold: true, align: "center", base: MIDDLE });
      const two = node.note && node.height > 30;
      ctx.fillText(fitted(ctx, node.title, node.width - 6), centre, middle - (two ? 8 : 0));
      this._type(ctx, theme.quiet, { size: 0.92, align: "center", base: MIDDLE });
      if (two) ctx.fillText(fitted(ctx, node.note, node.width - 6), centre, middle + 8);
    } else if (node.role === "database") {
      this._type(ctx, theme.ink, { bold: true, align: "center" });
      ctx.fillText(fitted(ctx, node.title, node.width + 16), centre, node.y - 5);
    } else if (node.title) {
      this._type(ctx, theme.ink, { bold: true });
      const title = fitted(ctx, node.title, node.width - 24);
      ctx.fillText(title, node.x, node.y - 4);
      node.titleEnd = node.x + ctx.measureText(title).width + 7;
    }
  }

  /** A curve from one node to another: forward from side to side, back below the boxes. */
  _way(a, b) {
    const key = a * 4096 + b;
    let way = this.ways.get(key);
    if (!way) {
      const from = this.data.nodes[a], to = this.data.nodes[b];
      const fromY = from.y + from.height / 2, toY = to.y + to.height / 2;
      const back = to.x + to.width <= from.x;
      if (back) {
        const low = Math.min(from.height / 2 + 3, 14), x0 = from.x, x3 = to.x + to.width;
        way = { back, x: [x0, x0 - 30, x3 + 30, x3], y: [fromY + low, fromY + low, toY + 9, toY + 9] };
      } else {
        const x0 = from.x + from.width, x3 = to.x, bend = Math.max(8, (x3 - x0) / 2);
        way = { back, x: [x0, x0 + bend, x3 - bend, x3], y: [fromY, fromY, toY, toY] };
      }
      this.ways.set(key, way);
    }
    return way;
  }

  // --- one instant ---------------------------------------------------------------------------------------------

  draw(t, hop_s, order) {
    const ctx = this.canvas.getContext("2d"), { data } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    ctx.drawImage(this.ground, 0, 0);
    ctx.setTransform(this.pixels, 0, 0, this.pixels, 0, 0);
    const counts = data.nodes.map((_, node) => data.count(node, t));
    this._drawLevels(ctx, counts, t);
    const bands = data.bands.filter((band) => band.start_s <= t && t < band.end_s);
    for (const band of bands) {
      for (const node of band.nodes) this._hatched(ctx, data.nodes[node]);
    }
    this._drawDots(ctx, t, hop_s, FADE_S * hop_s / HOP_S, counts, order);
    this._drawCounts(ctx, counts);
    this._drawFaults(ctx, bands);
    this._say(t);
    return counts;
  }

  _hatched(ctx, node) {
    ctx.globalAlpha = 0.55;
    hatch(ctx, node.x, node.y, node.width, node.height, this.theme.fault);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = this.theme.ink;
    ctx.lineWidth = 1.6;
    ctx.setLineDash([4, 3]);
    box(ctx, node.x, node.y, node.width, node.height);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  _drawLevels(ctx, counts, t) {
    this.data.nodes.forEach((node, number) => {
      if (node.role === "inbox" && counts[number]) {
        const width = (node.width - 2) * Math.min(1, counts[number] / this.most);
        ctx.globalAlpha = 0.16;
        ctx.fillStyle = this.colour;
        ctx.fillRect(node.x + 1 + (node.width - 2 - width), node.y + 1, width, node.height - 2);
        ctx.globalAlpha = 1;
      }
      if (node.role !== "work" || !node.slots) return;
      const workers = this.data.workersAt(node.service, t);
      ctx.strokeStyle = this.theme.line;
      ctx.lineWidth = 1;
      for (let slot = 0; slot < node.slots; slot++) {
        const [x, y, size] = this._slot(node, slot);
        ctx.globalAlpha = slot < workers ? 1 : 0.3;
        ctx.strokeRect(x - size / 2, y - size / 2, size, size);
      }
      ctx.globalAlpha = 1;
    });
  }

  /** The middle of a worker's square, and its size. */
  _slot(node, slot) {
    const grid = node.grid ??= this._grid(node, Math.max(1, node.slots), 17);
    const column = slot % grid.columns, row = Math.floor(slot / grid.columns);
    const x = node.x + node.width / 2 + (column - (Math.min(grid.columns, node.slots) - 1) / 2) * grid.pitch;
    const rows = Math.ceil(Math.max(1, node.slots) / grid.columns);
    const y = node.y + node.height / 2 + (row - (rows - 1) / 2) * grid.pitch;
    return [x, Math.min(y, node.y + node.height - 3), grid.pitch * 0.78];
  }

  _grid(node, number, most) {
    let pitch = most;
    const fits = () => Math.floor(node.width / pitch) * Math.floor(node.height / pitch) >= number;
    while (pitch > 3 && !fits()) pitch *= 0.93;
    return { pitch, columns: Math.max(1, Math.floor(node.width / pitch)) };
  }

  /** Where the nth of `number` dots waits: the first in line stands next to what comes after. */
  _place(node, nth, number, lane) {
    if (node.lanes > 1) {
      const pitch = Math.min(2 * R + 1, (node.width - 2 * R - 4) / Math.max(1, number - 1));
      return [node.x + node.width - R - 2 - nth * pitch, node.y + node.height * (lane + 0.5) / node.lanes];
    }
    const width = node.width - 4, height = node.height - 4;
    let pitch = Math.min(2 * R + 1.2, height);
    const rows = () => Math.max(1, Math.floor(height / pitch));
    while (pitch > 1.2 && Math.ceil(number / rows()) * pitch > width) pitch *= 0.9;
    const column = Math.floor(nth / rows()), row = nth % rows();
    const top = node.y + 2 + (height - rows() * pitch) / 2, across = Math.min(width - 1, 2 + (column + 0.5) * pitch);
    const left = node.role === "work" || node.role === "open"; // who is at work does not stand in line
    return [left ? node.x + across : node.x + node.width - across, top + (row + 0.5) * pitch];
  }

  _drawDots(ctx, t, hop_s, fade_s, counts, order) {
    const { data, found } = this, moving = [], resting = data.nodes.map(() => new Map());
    this.drawn.length = 0;
    const [from, to] = data.alive(t, 12 * hop_s + fade_s);
    for (let place = from; place < to; place++) {
      const k = data.births[place];
      if (data.parked[k] && t >= data.start_s[data.first[k + 1] - 1] + 12 * hop_s) continue;
      if (!data.locate(k, t, hop_s, fade_s, found)) continue;
      const i = found.segment, hop = data.source[i] !== data.target[i];
      const takes = Math.max(data.hop[i] * hop_s, Math.min(found.to - found.from, MOVING_S));
      const share = hop && !found.faded ? (t - (found.to - takes)) / takes : 1;
      const dot = { k, i, share, faded: found.faded, kind: this._kind(k, i, t), node: data.target[i] };
      if (hop && share > 0 && !found.faded) moving.push(dot);
      else if (found.faded) moving.push(dot);
      else {
        if (hop) { dot.node = data.source[i]; dot.held = true; }
        const lanes = resting[dot.node], lane = data.nodes[dot.node].lanes > 1 ? data.lane[i] : 0;
        if (!lanes.has(lane)) lanes.set(lane, []);
        lanes.get(lane).push(dot);
      }
    }
    resting.forEach((lanes, number) => this._drawResting(ctx, data.nodes[number], lanes, order));
    data.nodes.forEach((node, number) => {
      if (node.role === "dead") this._drawParked(ctx, node, counts[number]);
    });
    for (const dot of moving) this._drawMoving(ctx, dot, resting, order);
  }

  _kind(k, i, t) {
    const kind = this.data.kind[i];
    return kind <= RETRY && this.data.left_s[k] <= t ? LEFT : kind;
  }

  _drawResting(ctx, node, lanes, order) {
    for (const [lane, dots] of lanes) {
      let shown = null;
      dots.forEach((dot, nth) => {
        let x, y;
        if (node.role === "work" && node.slots && !dot.held) [x, y] = this._slot(node, this.data.lane[dot.i]);
        else if (node.role === "producer" || node.role === "hub") {
          const high = Math.min(node.height, 18);
          [x, y] = this._place({ ...node, y: node.y + node.height - high, height: high }, nth, dots.length, 0);
        } else [x, y] = this._place(node, nth, dots.length, lane);
        // One that its neighbour covers need not be drawn.
        const covered = shown && shown.y === y && Math.abs(shown.x - x) < 1.8 && shown.kind === dot.kind;
        if (covered && this.data.order[dot.k] !== order) return;
        shown = { x, y, kind: dot.kind };
        this._stamp(ctx, dot, x, y, 1, order);
      });
    }
  }

  _drawParked(ctx, node, count) {
    for (let nth = 0; nth < count; nth++) {
      const [x, y] = this._place(node, nth, count, 0);
      this._stamp(ctx, { kind: 3, k: -1 }, x, y, 1, 0);
    }
  }

  _drawMoving(ctx, dot, resting, order) {
    const { data } = this, a = data.source[dot.i], b = data.target[dot.i];
    const target = data.nodes[b], lane = data.lane[dot.i];
    let end = null;
    if (target.role === "work" && target.slots) end = this._slot(target, lane);
    else if (target.role === "inbox" || target.role === "hand" || target.role === "again" || target.role === "work") {
      const there = resting[b].get(target.lanes > 1 ? lane : 0)?.length ?? 0;
      end = this._place(target, there, there + 1, target.lanes > 1 ? lane : 0);
    }
    if (a === b) {
      const [x, y] = end ?? [target.x + target.width / 2, target.y + target.height - 6];
      this._stamp(ctx, dot, x, y - 6 * dot.faded, 1 - dot.faded, order);
      return;
    }
    const way = this._way(a, b), u = dot.share, v = 1 - u;
    const weights = [v * v * v, 3 * v * v * u, 3 * v * u * u, u * u * u];
    const sum = (points, last) => weights.reduce((total, w, n) => total + w * (n === 3 && last != null ? last : points[n]), 0);
    this._stamp(ctx, dot, sum(way.x, end?.[0]), sum(way.y, end?.[1]), 1 - dot.faded, order);
  }

  _stamp(ctx, dot, x, y, alpha, order) {
    const image = this.stamps[dot.kind], size = image.width / this.pixels;
    if (alpha < 1) ctx.globalAlpha = Math.max(0, alpha);
    ctx.drawImage(image, x - size / 2, y - size / 2, size, size);
    if (alpha < 1) ctx.globalAlpha = 1;
    if (dot.k < 0) return;
    const number = this.data.order[dot.k];
    this.drawn.push(x, y, number);
    if (order && number === order) {
      ctx.strokeStyle = this.theme.ink;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.arc(x, y, 2.4 * R, 0, 7);
      ctx.stroke();
    }
  }

  _drawCounts(ctx, counts) {
    this.data.nodes.forEach((node, number) => {
      const count = counts[number];
      if (node.role === "producer" || node.role === "hub") return;
      const quiet = !count || node.role === "work" || node.role === "hand";
      this._type(ctx, quiet ? this.theme.quiet : this.colour, { bold: !quiet, align: node.titleEnd ? "left" : "right" });
      const x = node.titleEnd ?? node.x + node.width, y = node.role === "database" ? node.y + node.height + 14 : node.y - 4;
      if (count || node.role !== "dead") ctx.fillText(count.toLocaleString("en"), x, y);
    });
  }

  _drawFaults(ctx, bands) {
    const said = new Map();
    for (const band of bands) {
      if (!band.nodes.length) continue;
      const nodes = band.nodes.map((number) => this.data.nodes[number]);
      const right = Math.max(...nodes.map((node) => node.x + node.width));
      const roomy = nodes[0].height >= 44 && nodes[0].role !== "producer" && nodes[0].role !== "hub";
      // Within the box where there is room below what it shows, else above it.
      const top = roomy ? Math.max(...nodes.map((node) => node.y + node.height)) - 2 : Math.min(...nodes.map((node) => node.y));
      const key = `${right} ${top}`;
      said.set(key, { right, top, texts: [...(said.get(key)?.texts ?? []), band.text] });
    }
    for (const { right, top, texts } of said.values()) {
      this._type(ctx, this.theme.page, { bold: true, base: MIDDLE });
      const text = texts.join(", "), width = ctx.measureText(text).width + 10;
      const x = Math.max(2, Math.min(right, this.data.width - 2) - width);
      ctx.fillStyle = this.theme.ink;
      box(ctx, x, top - 17, width, 16, 3);
      ctx.fill();
      ctx.fillStyle = this.theme.page;
      ctx.fillText(text, x + 5, top - 8.5);
    }
  }

  _say(t) {
    const now = this.data.customersAt(t);
    const key = Object.values(now).join();
    if (key === this.said) return;
    this.said = key;
    this.facts.replaceChildren(...[
      ["placed", now.placed], ["told yes", now.accepted], ["unanswered", now.waiting],
      ["turned away", now.refused], ["done", now.done],
    ].flatMap(([word, number]) => {
      const part = document.createElement("span"), strong = document.createElement("b");
      strong.textContent = number.toLocaleString("en");
      part.append(strong, ` ${word}`);
      return [part, " "];
    }));
  }

  /** The order of the dot nearest to a point of the canvas (0: none is near). */
  orderAt(x, y) {
    let best = 0, near = 10 ** 2;
    for (let i = 0; i < this.drawn.length; i += 3) {
      const far = (this.drawn[i] - x / this.scale) ** 2 + (this.drawn[i + 1] - y / this.scale) ** 2;
      if (far < near) [near, best] = [far, this.drawn[i + 2]];
    }
    return best;
  }
}

// --- all of it -------------------------------------------------------------------------------------------------

const STYLE = `
.edasim-flow { font: 13px/1.35 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); max-width: 1660px; }
.edasim-flow-panels { display: grid; gap: 10px 18px; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.edasim-flow h3 { font-size: 15px; margin: 0; display: inline; }
.edasim-flow header p { margin: 0; color: var(--quiet); min-height: 1.4em; font-size: 12.5px; }
.edasim-flow header span { margin-right: 0.7em; white-space: nowrap; }
.edasim-flow header b { color: var(--ink); font-variant-numeric: tabular-nums; }
.edasim-flow-panel { border-top: 2px solid var(--line); padding-top: 4px; min-width: 0; }
.edasim-flow-note { color: var(--quiet); margin: 0; }
.edasim-flow canvas { display: block; touch-action: none; }
.edasim-flow-controls { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 0 0 6px; }
.edasim-flow button, .edasim-flow select { font: inherit; color: var(--ink); background: var(--fill); border: 1px solid var(--line);
  border-radius: 4px; padding: 3px 10px; min-height: 30px; cursor: pointer; }
.edasim-flow button { min-width: 84px; font-weight: 600; }
.edasim-flow select { padding: 3px 6px; }
.edasim-flow :focus-visible { outline: 2px solid #56B4E9; outline-offset: 1px; }
.edasim-flow-time { font-variant-numeric: tabular-nums; min-width: 9.5em; }
.edasim-flow input[type=range] { width: 100%; margin: 0 0 8px; height: 18px; accent-color: #0072B2; display: block; }
.edasim-flow-strip { cursor: pointer; }
.edasim-flow-legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 8px 0 0; padding: 0; list-style: none; color: var(--quiet); }
.edasim-flow-legend li { display: inline-flex; align-items: center; gap: 5px; margin: 0; }
.edasim-flow-hint { color: var(--quiet); margin: 4px 0 0; }
.edasim-flow details { margin-top: 4px; color: var(--quiet); }
.edasim-flow table { border-collapse: collapse; display: inline-table; margin: 4px 24px 4px 0; vertical-align: top; color: var(--ink); background: none; }
.edasim-flow caption { text-align: left; font-weight: 600; padding: 0; }
.edasim-flow td { padding: 0 10px 0 0; border: 0; background: none; text-align: left; }
.edasim-flow td + td { text-align: right; font-variant-numeric: tabular-nums; padding: 0; }
`;
const STRIP = 46, INSET = 8;

class Flow {
  constructor(panels, el) {
    this.el = el;
    this.root = document.createElement("div");
    this.root.className = "edasim-flow";
    this.root.dataset.lmSuppressShortcuts = "true";
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.root.append(style);
    this.panels = panels.map((panel) => new Data(panel));
    this.end_s = Math.max(0.001, ...this.panels.map((panel) => panel.until_s));
    this.time_s = 0;
    this.speed = 1;
    this.playing = false;
    this.order = 0;
    this.hop_s = 0;
    this.longest_s = Math.min(LONGEST_HOP_S, MOST_MOVING / Math.max(1, ...this.panels.map((data) => data.hops_per_s)));
    this.frames = 0;
    this.heard = () => {};
    const inboxes = this.panels.flatMap((data) => data.nodes.map((node, n) => (node.role === "inbox" ? data.most(n) : 0)));
    this.most = Math.max(20, ...inboxes);
    this._controls();
    const grid = document.createElement("div");
    grid.className = "edasim-flow-panels";
    this.root.append(grid);
    this.views = this.panels.map((data) => new PanelView(data, grid));
    this._words();
    el.append(this.root);
    this._listen();
    this.fit();
  }

  // --- the page ------------------------------------------------------------------------------------------------

  _controls() {
    const make = (tag, more = {}) => Object.assign(document.createElement(tag), more);
    const bar = make("div", { className: "edasim-flow-controls" });
    this.button = make("button", { type: "button" });
    this.speeds = make("select");
    this.speeds.setAttribute("aria-label", "Speed");
    for (const speed of SPEEDS) this.speeds.append(make("option", { value: String(speed), textContent: `${speed}×` }));
    this.clock = make("span", { className: "edasim-flow-time" });
    this.message = make("span", { className: "edasim-flow-order" });
    this.message.setAttribute("aria-live", "polite");
    bar.append(this.button, this.speeds, this.clock, this.message);
    this.strip = make("canvas", { className: "edasim-flow-strip" });
    this.strip.setAttribute("aria-hidden", "true");
    this.range = make("input", { type: "range", min: "0", max: String(this.end_s), step: "any", value: "0" });
    this.range.setAttribute("aria-label", "Time in the run");
    this.root.append(bar, this.strip, this.range);
  }

  _words() {
    this.legend = document.createElement("ul");
    this.legend.className = "edasim-flow-legend";
    const hint = document.createElement("p");
    hint.className = "edasim-flow-hint";
    hint.textContent = "A hop takes a millisecond or so and is drawn longer while the film plays; numbers are exact at any time, and so are the dots in a pause. "
      + "Click a dot to follow its order. Keys: space, ← and → (with shift: by ten seconds), Home, End, + and − for the speed.";
    this.details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "The numbers at this moment";
    this.details.append(summary);
    this.cells = this.panels.map((data) => {
      const table = document.createElement("table"), caption = table.createCaption();
      caption.textContent = data.title;
      const cells = data.nodes.map((node) => {
        if (node.role === "producer" || node.role === "hub") return null;
        const row = table.insertRow();
        row.insertCell().textContent = said(node);
        const cell = row.insertCell();
        cell.dataset.node = node.name;
        return cell;
      });
      this.details.append(table);
      return cells;
    });
    this.root.append(this.legend, hint, this.details);
  }

  _legend() {
    const kinds = new Set([MESSAGE]);
    for (const data of this.panels) {
      for (const kind of new Set(data.kind)) kinds.add(kind);
      if (data.left_s.some((left, k) => left < data.end_s[k] && data.kind[data.first[k]] < YES)) kinds.add(LEFT);
    }
    const ratio = window.devicePixelRatio || 1;
    const colour = this.panels.length === 1 ? this.views[0].colour : this.theme.quiet;
    this.legend.replaceChildren(...KINDS.map((name, kind) => {
      if (!kinds.has(kind)) return "";
      const item = document.createElement("li"), icon = stamp(kind, 4.5, colour, this.theme, ratio);
      icon.style.width = icon.style.height = "18px";
      icon.setAttribute("aria-hidden", "true");
      item.append(icon, WORDS[name]);
      return item;
    }));
  }

  // --- what the viewer does ------------------------------------------------------------------------------------

  _listen() {
    this.button.onclick = () => this.play(!this.playing);
    this.speeds.onchange = () => this.setSpeed(Number(this.speeds.value));
    this.range.oninput = () => this.seek(Number(this.range.value));
    this.root.addEventListener("keydown", (event) => this._key(event));
    this.details.ontoggle = () => this.draw();
    const point = (event) => {
      const place = this.strip.getBoundingClientRect();
      this.seek(this.end_s * (event.clientX - place.left - INSET) / (place.width - 2 * INSET));
    };
    this.strip.onpointerdown = (event) => { this.strip.setPointerCapture(event.pointerId); point(event); };
    this.strip.onpointermove = (event) => { if (event.buttons) point(event); };
    for (const view of this.views) {
      view.canvas.onclick = (event) => this.follow(view.orderAt(event.offsetX, event.offsetY));
    }
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.el);
    this.theming = new MutationObserver(() => this.fit());
    for (const one of [document.documentElement, document.body]) this.theming.observe(one, { attributes: true });
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.retheme = () => this.fit();
    this.media.addEventListener("change", this.retheme);
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 10 : 1, onButton = event.target === this.button || event.target.tagName === "SUMMARY";
    const actions = {
      " ": () => (onButton ? null : this.play(!this.playing)),
      ArrowLeft: () => this.seek(this.time_s - step), ArrowRight: () => this.seek(this.time_s + step),
      Home: () => this.seek(0), End: () => this.seek(this.end_s),
      "+": () => this._faster(1), "=": () => this._faster(1), "-": () => this._faster(-1),
    };
    const inList = event.target === this.speeds && event.key !== "+" && event.key !== "-";
    event.stopPropagation();
    if (!(event.key in actions) || inList) return;
    if (actions[event.key]() !== null) event.preventDefault();
  }

  _faster(by) {
    const place = SPEEDS.findIndex((speed) => speed >= this.speed);
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (place < 0 ? SPEEDS.length - 1 : place) + by))]);
  }

  play(on) {
    if (on && this.time_s >= this.end_s) this.time_s = 0;
    this.playing = on;
    this.heard("playing");
    if (!on) this.heard("time_s");
    this._run();
    this.draw();
  }

  seek(time_s) {
    this.time_s = Math.min(this.end_s, Math.max(0, time_s || 0));
    if (!this.playing) this.hop_s = 0;
    this.heard("time_s");
    this.draw();
  }

  setSpeed(speed) {
    this.speed = Math.min(20, Math.max(0.25, speed));
    this.heard("speed");
    this.draw();
  }

  follow(order) {
    this.order = order;
    this.heard("order");
    this.draw();
  }

  // --- time ----------------------------------------------------------------------------------------------------

  _run() {
    if (this.request) return;
    let before = performance.now();
    const frame = (now) => {
      this.request = 0;
      const passed_s = Math.min(0.1, Math.max(0, (now - before) / 1000));
      before = now;
      this.frames++;
      if (this.playing) this._advance(passed_s);
      const aim = this.playing ? Math.min(HOP_S * this.speed, this.longest_s) : 0;
      this.hop_s += (aim - this.hop_s) * (1 - Math.exp(-passed_s / (this.playing ? 0.12 : 0.06)));
      const settled = !this.playing && this.hop_s < 0.01 * HOP_S * this.speed;
      if (settled) this.hop_s = 0;
      this.draw();
      if (!settled) this.request = requestAnimationFrame(frame);
    };
    this.request = requestAnimationFrame(frame);
  }

  _advance(passed_s) {
    this.time_s = Math.min(this.end_s, this.time_s + passed_s * this.speed);
    this.toldAt = (this.toldAt ?? 0) + passed_s;
    if (this.toldAt > 0.25) {
      this.toldAt = 0;
      this.heard("time_s");
    }
    if (this.time_s >= this.end_s) {
      this.playing = false;
      this.heard("playing");
      this.heard("time_s");
    }
  }

  // --- drawing -------------------------------------------------------------------------------------------------

  fit() {
    const width = this.root.clientWidth;
    if (!width) return;
    const dark = isDark(this.el), key = `${width} ${dark} ${window.devicePixelRatio}`;
    if (key === this.fitted) return;
    this.fitted = key;
    this.theme = dark ? DARK : LIGHT;
    for (const [name, colour] of Object.entries(this.theme)) this.root.style.setProperty(`--${name}`, colour);
    this.root.style.colorScheme = dark ? "dark" : "light";
    const columns = width >= 880 && this.views.length > 1 ? (width >= 1500 && this.views.length % 3 === 0 ? 3 : 2) : 1;
    this.root.style.setProperty("--columns", columns);
    // Many sharp pictures are more than a computer without a graphics card can paint in time.
    const ratio = Math.min(window.devicePixelRatio || 1, this.views.length > 2 ? 1.5 : 3);
    for (const view of this.views) view.fit((width - 18 * (columns - 1)) / columns, this.theme, this.most, ratio);
    this._fitStrip(width);
    this._legend();
    this.draw();
  }

  _fitStrip(width) {
    const ratio = window.devicePixelRatio || 1;
    this.strip.width = Math.round(width * ratio);
    this.strip.height = Math.round(STRIP * ratio);
    this.strip.style.width = `${width}px`;
    this.strip.style.height = `${STRIP}px`;
    this.stripGround = canvasOf(this.strip.width, this.strip.height);
    const ctx = this.stripGround.getContext("2d");
    ctx.scale(ratio, ratio);
    const at = (t) => INSET + (width - 2 * INSET) * t / this.end_s, theme = this.theme;
    ctx.fillStyle = theme.fill;
    ctx.fillRect(INSET, 0, width - 2 * INSET, STRIP - 2);
    const bands = new Map();
    for (const data of this.panels) {
      for (const band of data.bands) bands.set(`${band.text} ${band.start_s} ${band.end_s}`, band);
    }
    for (const band of bands.values()) {
      const x = at(band.start_s), wide = Math.max(2, at(band.end_s) - x);
      ctx.globalAlpha = 0.35;
      ctx.fillStyle = theme.fault;
      ctx.fillRect(x, 0, wide, STRIP - 2);
      ctx.globalAlpha = 0.6;
      hatch(ctx, x, 0, wide, STRIP - 2, theme.fault);
      ctx.globalAlpha = 1;
    }
    const words = this._drawWaiting(ctx, at);
    this._nameBands(ctx, at, bands.values(), width, words);
  }

  /** What waits in all, one line for each panel, so that one sees where to look. */
  _drawWaiting(ctx, at) {
    const lines = this.panels.map((data) => {
      const nodes = data.nodes.flatMap((node, n) => (["inbox", "hand", "again"].includes(node.role) ? [n] : []));
      return Float64Array.from({ length: 401 }, (_, i) => nodes.reduce((sum, n) => sum + data.count(n, this.end_s * i / 400), 0));
    });
    const most = Math.max(1, ...lines.flatMap((line) => [...line]));
    lines.forEach((line, panel) => {
      ctx.strokeStyle = this.views[panel].colour;
      ctx.lineWidth = 1.8;
      ctx.setLineDash(this.panels[panel].dashes);
      ctx.beginPath();
      line.forEach((value, i) => ctx.lineTo(at(this.end_s * i / 400), STRIP - 4 - (STRIP - 22) * value / most));
      ctx.stroke();
    });
    ctx.setLineDash([]);
    return `waiting messages, at most ${most.toLocaleString("en")}`;
  }

  /** The names of faults where they begin, if there is room, and on one of the sides what the lines are. */
  _nameBands(ctx, at, bands, width, words) {
    let free = INSET, first = width;
    ctx.fillStyle = this.theme.ink;
    ctx.font = '600 11px system-ui, "DejaVu Sans", sans-serif';
    for (const band of [...bands].sort((a, b) => a.start_s - b.start_s)) {
      const wide = ctx.measureText(band.text).width, x = Math.min(at(band.start_s) + 4, width - INSET - wide - 2);
      if (x < free) continue;
      ctx.fillText(band.text, x, 13);
      free = x + wide + 8;
      first = Math.min(first, x);
    }
    ctx.fillStyle = this.theme.quiet;
    ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
    const wide = ctx.measureText(words).width + 10;
    if (INSET + wide < first) ctx.fillText(words, INSET + 5, 13);
    else if (free + wide < width - INSET) ctx.fillText(words, width - INSET - wide + 5, 13);
  }

  draw() {
    if (!this.theme) return;
    const t = this.time_s;
    const counts = this.views.map((view) => view.draw(t, this.hop_s, this.order));
    this.range.value = String(t);
    this.range.setAttribute("aria-valuetext", `${t.toFixed(1)} seconds`);
    this.clock.textContent = `${t.toFixed(2)} s of ${this.end_s.toFixed(1)} s`;
    this.button.textContent = this.playing ? "❚❚ Pause" : "▶ Play";
    this.speeds.value = String(this.speed);
    this.message.textContent = this.order ? `following order-${this.order}` : "";
    const ctx = this.strip.getContext("2d"), ratio = window.devicePixelRatio || 1;
    ctx.clearRect(0, 0, this.strip.width, this.strip.height);
    ctx.drawImage(this.stripGround, 0, 0);
    ctx.fillStyle = this.theme.ink;
    ctx.fillRect((INSET + (this.strip.width / ratio - 2 * INSET) * t / this.end_s - 1) * ratio, 0, 2 * ratio, this.strip.height);
    if (!this.playing || this.details.open) this._tell(counts);
  }

  _tell(counts) {
    this.cells.forEach((cells, panel) => cells.forEach((cell, node) => {
      if (cell) cell.textContent = String(counts[panel][node]);
    }));
  }

  /** For each panel the counts by node, and what became of the customers, at a time: for tests and the curious. */
  state(t = this.time_s) {
    return this.panels.map((data) => ({
      title: data.title, customers: data.customersAt(t),
      counts: Object.fromEntries(data.nodes.map((node, n) => [node.name, data.count(n, t)])),
    }));
  }

  end() {
    cancelAnimationFrame(this.request);
    this.resizing.disconnect();
    this.theming.disconnect();
    this.media.removeEventListener("change", this.retheme);
    this.root.remove();
  }
}

function said(node) {
  const what = {
    inbox: "waiting", hand: "handed out, not begun", work: "at work", open: "open", again: "waiting to be tried again",
    dead: "dead letters", database: "at the commit",
  }[node.role] ?? node.role;
  return node.service ? `${node.service}: ${what}` : `${node.name}: ${what}`;
}

function render({ model, el }) {
  const flow = new Flow(model.get("_panels"), el);
  el.edasimFlow = flow;
  const names = ["time_s", "playing", "speed", "order"];
  const take = {
    time_s: (value) => { if (Math.abs(value - flow.time_s) > 1e-9) flow.seek(value); },
    playing: (value) => { if (value !== flow.playing) flow.play(value); },
    speed: (value) => { if (value !== flow.speed) flow.setSpeed(value); },
    order: (value) => { if (value !== flow.order) flow.follow(value); },
  };
  let telling = false;
  for (const name of ["speed", "time_s", "order", "playing"]) take[name](model.get(name));
  flow.heard = (name) => {
    telling = true;
    model.set(name, flow[name]);
    telling = false;
    model.save_changes();
  };
  const hear = Object.fromEntries(names.map((name) => [name, () => { if (!telling) take[name](model.get(name)); }]));
  for (const name of names) model.on(`change:${name}`, hear[name]);
  flow.draw();
  return () => {
    for (const name of names) model.off(`change:${name}`, hear[name]);
    flow.end();
  };
}

export default { render };
