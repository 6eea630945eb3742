/* The page of a plan: charts and tables from the data in #data.
   plan: {model, label, loss, optimizer, target, budget, peak, bound, time_bound, order, codec, spaces: [[name, bytes, align]], entries}
   entry: {name, nodes: [[title, kind, phase, seconds]], buffers: [[name, type, owner, space, offset, bytes, first, last, over, node, decision]]}
   first and last are positions in the order of nodes, inclusive; over and node are indices, -1 for none; decision: why it is made again, if it is. */
"use strict";
const OWNERS = ["weights", "state", "constants", "inputs", "activations", "gradients", "update", "scratch"];
const PHASES = {f: "forward", b: "backward", u: "update", r: "again", m: "move"};
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");

const css = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const make = (tag, props, ...children) => {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
};

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let u = 0;
  while (n >= 1024 && u < 4) { n /= 1024; u++; }
  return (u ? n.toFixed(2) : n) + " " + units[u];
}

function seconds(s) {
  return s >= 1 ? s.toFixed(2) + " s" : s >= 1e-3 ? (s * 1e3).toFixed(2) + " ms" : (s * 1e6).toFixed(1) + " µs";
}

/* Buffers that lie over one another are one run of bytes: the life of all, told by its first. */
function runs(plan, entry) {
  const all = new Map(), root = i => { while (entry.buffers[i][8] >= 0) i = entry.buffers[i][8]; return i; };
  entry.buffers.forEach((b, i) => {
    const r = root(i), run = all.get(r);
    if (run) { run.first = Math.min(run.first, b[6]); run.last = Math.max(run.last, b[7]); }
    else all.set(r, {buffer: entry.buffers[r], first: b[6], last: b[7]});
  });
  for (const run of all.values()) {
    const align = plan.spaces[run.buffer[3]][2];
    run.size = Math.ceil(run.buffer[5] / align) * align;
  }
  return [...all.values()];
}

/* -> {total: bytes at each node, of: an array an owner, peak: the node of the largest} */
function levels(plan, entry) {
  const count = Math.max(1, entry.nodes.length), of = OWNERS.map(() => new Float64Array(count + 1)), total = new Float64Array(count);
  for (const run of runs(plan, entry)) {
    if (run.buffer[3] !== 0) continue;
    of[run.buffer[2]][run.first] += run.size;
    of[run.buffer[2]][run.last + 1] -= run.size;
  }
  let peak = 0;
  for (const level of of)
    for (let k = 0, sum = 0; k < count; k++) { sum += level[k]; level[k] = sum; total[k] += sum; }
  total.forEach((t, k) => { if (t > total[peak]) peak = k; });
  return {of, total, peak};
}

function showTip(event, text) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 8)) + "px";
}

/* A table whose columns sort: columns of [title, key of a row, text of a row, is it a number]. */
function table(columns, rows, most) {
  let by = columns.findIndex(c => c[3]), down = true, all = false;
  const body = make("tbody"), head = make("tr"), more = make("button", {type: "button"});
  const fill = () => {
    const key = columns[by][1], sign = down ? -1 : 1;
    const sorted = [...rows].sort((a, b) => sign * (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0));
    body.replaceChildren(...(all ? sorted : sorted.slice(0, most)).map(row =>
      make("tr", {}, ...columns.map(c => make("td", {className: c[3] ? "number" : "name", textContent: c[2](row)})))));
    more.hidden = all || rows.length <= most;
    more.textContent = `all ${rows.length} rows`;
    [...head.children].forEach((th, i) => th.setAttribute("aria-sort", i !== by ? "none" : down ? "descending" : "ascending"));
  };
  columns.forEach((c, i) => head.append(make("th", {className: c[3] ? "number" : "", scope: "col"}, make("button", {
    type: "button", textContent: c[0], onclick: () => { down = i === by ? !down : Boolean(c[3]); by = i; fill(); }}))));
  more.onclick = () => { all = true; fill(); };
  fill();
  return make("div", {className: "scroll"}, make("table", {}, make("thead", {}, head), body), more);
}

class Pane {
  constructor(plan) {
    this.root = make("section", {className: "pane"});
    this.show(plan);
  }

  show(plan) {
    const name = this.entry ? this.entry.name : "train";
    this.plan = plan;
    this.entry = plan.entries.find(e => e.name === name) || plan.entries[0];
    this.range = null;
    this.build();
  }

  build() {
    this.level = levels(this.plan, this.entry);
    this.range = this.range || [0, this.entry.nodes.length];
    this.at = this.level.peak;
    this.memory = this.canvas("memory", `Memory over the step of ${this.entry.name}: bytes of each class at each node. Arrow keys move along the nodes.`, 260);
    this.map = this.canvas("map", `Addresses over the step of ${this.entry.name}: a rectangle a buffer.`, 420);
    this.alive = make("div");
    this.root.replaceChildren(...this.header(), this.controls(), make("h2", {textContent: "Memory over the step"}), this.legend(), this.memory,
      make("p", {className: "faint", textContent: "Drag to look closer. A click chooses the node that the table below is of."}),
      make("h2", {textContent: "Addresses"}), this.map, this.alive, ...this.sources(), ...this.decisions());
    this.fillAlive();
    this.draw();
  }

  header() {
    const p = this.plan, fact = (k, v) => [make("div", {}, make("dt", {textContent: k}), make("dd", {textContent: v}))];
    const gap = p.bound ? (100 * (p.peak / p.bound - 1)).toFixed(2) + " %" : "not known";
    const time = this.entry.nodes.reduce((sum, n) => sum + n[3], 0);
    return [make("h1", {textContent: p.label || p.model}),
      make("p", {className: "faint", textContent: [p.loss && "loss " + p.loss, p.optimizer && "optimizer " + p.optimizer, "planned for " + p.target].filter(Boolean).join(", ")}),
      make("dl", {className: "facts"}, ...fact("peak", `${bytes(p.peak)} (${p.peak} bytes)`), ...fact("lower bound", p.bound ? bytes(p.bound) : "not known"), ...fact("gap", gap),
        ...fact("budget", p.budget ? bytes(p.budget) : "none"), ...fact("order", p.order || "as given"), ...(p.codec ? fact("codec", p.codec) : []), ...fact("nodes", String(this.entry.nodes.length)),
        ...fact("predicted", seconds(time)), ...this.again(time).flatMap(([k, v]) => fact(k, v)))];
  }

  /* What runs again, beside the rest of the step; the proven bound is of the entry that trains, in picoseconds. */
  again(time) {
    const nodes = this.entry.nodes.filter(n => n[2] === "r"), more = nodes.reduce((sum, n) => sum + n[3], 0), share = s => `${(100 * s / (time - more)).toFixed(2)} %`;
    const proven = this.plan.time_bound && this.entry.name === "train" ? [["proven to add at least", share(this.plan.time_bound * 1e-12)]] : [];
    return nodes.length ? [["runs again", `${nodes.length} nodes, +${share(more)}`], ...proven] : [];
  }

  controls() {
    const choose = make("select", {onchange: () => { this.entry = this.plan.entries[choose.selectedIndex]; this.range = null; this.build(); }},
      ...this.plan.entries.map(e => make("option", {textContent: e.name, selected: e === this.entry})));
    const whole = make("button", {type: "button", textContent: "whole step", onclick: () => { this.range = [0, this.entry.nodes.length]; this.draw(); }});
    return make("div", {className: "controls"}, make("label", {}, "entry ", choose), whole);
  }

  legend() {
    const most = this.level.of.map(l => l.reduce((a, b) => Math.max(a, b), 0));
    return make("ul", {className: "legend"}, ...OWNERS.map((o, i) => {
      const square = make("i");
      square.style.background = `var(--${o})`;
      return make("li", {hidden: !most[i]}, square, `${o} ${bytes(this.level.of[i][this.level.peak])}`);
    }), make("li", {className: "faint", textContent: "(bytes at the peak)"}));
  }

  canvas(kind, label, height) {
    const c = make("canvas", {className: kind, tabIndex: 0});
    let from = null;
    c.style.height = height + "px";
    c.setAttribute("role", "img");
    c.setAttribute("aria-label", label);
    c.onpointermove = e => showTip(e, this.tell(kind, e));
    c.onpointerleave = () => showTip(null, "");
    c.onpointerdown = e => { from = e; c.setPointerCapture(e.pointerId); };
    c.onpointerup = e => {
      if (!from) return;
      const a = this.node(from), b = this.node(e);
      if (Math.abs(e.clientX - from.clientX) > 6) this.range = [Math.min(a, b), Math.max(a, b) + 1];
      else this.at = a;
      from = null;
      this.fillAlive();
      this.draw();
    };
    c.onkeydown = e => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[e.key];
      if (!step) return;
      this.at = Math.max(0, Math.min(this.entry.nodes.length - 1, this.at + step));
      this.fillAlive();
      this.draw();
      e.preventDefault();
    };
    return c;
  }

  node(event) {
    const box = event.target.getBoundingClientRect(), [from, to] = this.range;
    const x = (event.clientX - box.left) / box.width;
    return Math.max(0, Math.min(this.entry.nodes.length - 1, Math.floor(from + x * (to - from))));
  }

  place(k) {
    const n = this.entry.nodes[k];
    return n ? `${k}  ${n[0] || n[1]}\n${n[1]}, ${PHASES[n[2]] || ""}, ${seconds(n[3])}` : "";
  }

  tell(kind, event) {
    const k = this.node(event);
    if (kind === "memory")
      return this.place(k) + `\n${bytes(this.level.total[k])} in all` +
        OWNERS.map((o, i) => this.level.of[i][k] ? `\n${bytes(this.level.of[i][k])} ${o}` : "").join("");
    const box = event.target.getBoundingClientRect(), address = (1 - (event.clientY - box.top) / box.height) * this.arena();
    const hit = this.entry.buffers.filter(b => b[3] === 0 && b[6] <= k && k <= b[7] && b[4] <= address && address < b[4] + b[5]).pop();
    return hit ? this.describe(hit) : this.place(k) + `\naddress ${bytes(Math.floor(address))}: free`;
  }

  describe(b) {
    const n = this.entry.nodes[b[9]];
    return `${b[0]}  ${b[1]}\n${bytes(b[5])} of ${OWNERS[b[2]]} at ${b[4]}` + (n ? `\nmade by ${n[0] || n[1]} (${PHASES[n[2]] || "?"})` : "") +
      `\nnodes ${b[6]} to ${b[7]}` + (b[8] >= 0 ? `\nin the bytes of ${this.entry.buffers[b[8]][0]}` : "") + (b[10] ? `\n${b[10]}` : "");
  }

  arena() { return Math.max(1, this.plan.spaces[0][1]); }

  pen(canvas) {
    const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight, pen = canvas.getContext("2d");
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    return {pen, w, h, x: k => (k - this.range[0]) / (this.range[1] - this.range[0]) * w};
  }

  draw() {
    this.drawMemory();
    this.drawMap();
  }

  drawMemory() {
    const {pen, w, h, x} = this.pen(this.memory), top = Math.max(this.arena(), this.plan.budget || 0) * 1.06, y = b => h - b / top * h;
    const [from, to] = this.range, base = new Float64Array(this.level.total.length);
    OWNERS.forEach((o, i) => {
      pen.fillStyle = css(o);
      pen.beginPath();
      for (let k = from; k < to; k++) { pen.lineTo(x(k), y(base[k] + this.level.of[i][k])); pen.lineTo(x(k + 1), y(base[k] + this.level.of[i][k])); }
      for (let k = to; k-- > from;) { pen.lineTo(x(k + 1), y(base[k])); pen.lineTo(x(k), y(base[k])); }
      pen.fill();
      for (let k = from; k < to; k++) base[k] += this.level.of[i][k];
    });
    const line = (value, colour, text, dash) => {
      pen.strokeStyle = pen.fillStyle = css(colour);
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(0, y(value));
      pen.lineTo(w, y(value));
      pen.stroke();
      pen.setLineDash([]);
      pen.fillText(text, 6, y(value) - 4);
    };
    line(this.plan.peak, "mark", `arena ${bytes(this.plan.peak)}`, []);
    if (this.plan.budget) line(this.plan.budget, "budget", `budget ${bytes(this.plan.budget)}`, [6, 4]);
    this.cursor(pen, x, h);
  }

  drawMap() {
    const {pen, w, h, x} = this.pen(this.map), y = b => h - b / this.arena() * h, [from, to] = this.range;
    for (const b of this.entry.buffers) {
      if (b[3] !== 0 || b[7] < from || b[6] >= to) continue;
      const left = x(b[6]), wide = Math.max(.5, x(b[7] + 1) - left), high = Math.max(.5, b[5] / this.arena() * h);
      pen.fillStyle = css(OWNERS[b[2]]);
      pen.fillRect(left, y(b[4] + b[5]), wide, high);
      if (wide > 3 && high > 3) {
        pen.strokeStyle = css("paper");
        pen.lineWidth = .5;
        pen.strokeRect(left, y(b[4] + b[5]), wide, high);
      }
      if (wide > 80 && high > 14) {
        pen.fillStyle = "#000";
        pen.fillText(b[0].slice(0, Math.floor(wide / 7)), left + 4, y(b[4] + b[5]) + 12);
      }
    }
    this.cursor(pen, x, h);
  }

  cursor(pen, x, h) {
    pen.strokeStyle = css("ink");
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(x(this.at + .5), 0);
    pen.lineTo(x(this.at + .5), h);
    pen.stroke();
    pen.setLineDash([]);
  }

  fillAlive() {
    const alive = runs(this.plan, this.entry).filter(r => r.first <= this.at && this.at <= r.last);
    this.alive.replaceChildren(make("h2", {textContent: `Alive at node ${this.at}` + (this.at === this.level.peak ? ", the peak" : "")}),
      make("p", {className: "faint", textContent: this.place(this.at).replace("\n", ", ")}),
      table([["bytes", r => r.buffer[5], r => bytes(r.buffer[5]), true], ["class", r => OWNERS[r.buffer[2]], r => OWNERS[r.buffer[2]]], ["buffer", r => r.buffer[0], r => r.buffer[0]],
        ["type", r => r.buffer[1], r => r.buffer[1]], ["made by", r => this.maker(r.buffer), r => this.maker(r.buffer)], ["nodes", r => r.first, r => `${r.first} to ${r.last}`]], alive, 15));
  }

  maker(b) {
    const n = this.entry.nodes[b[9]];
    return n ? n[0] || n[1] : "";
  }

  sources() {
    const rows = new Map(), row = name => {
      if (!rows.has(name)) rows.set(name, {name, bytes: 0, largest: 0, seconds: 0, kernels: 0});
      return rows.get(name);
    };
    for (const n of this.entry.nodes) { const r = row(n[0] || n[1]); r.seconds += n[3]; r.kernels++; }
    for (const b of this.entry.buffers) {
      if (!this.entry.nodes[b[9]] || b[8] >= 0) continue;
      const r = row(this.maker(b));
      r.bytes += b[5];
      r.largest = Math.max(r.largest, b[5]);
    }
    return [make("h2", {textContent: "By node of the model"}), table([["node", r => r.name, r => r.name], ["bytes made", r => r.bytes, r => bytes(r.bytes), true],
      ["largest", r => r.largest, r => bytes(r.largest), true], ["predicted", r => r.seconds, r => seconds(r.seconds), true], ["kernels", r => r.kernels, r => r.kernels, true]], [...rows.values()], 20)];
  }

  decisions() {
    const decided = this.entry.buffers.filter(b => b[10]);
    if (!decided.length) return [make("p", {className: "faint", textContent: "Nothing is recomputed, packed or moved in this plan."})];
    return [make("h2", {textContent: "What was decided, and why"}), table([["bytes", b => b[5], b => bytes(b[5]), true], ["buffer", b => b[0], b => b[0]],
      ["made by", b => this.maker(b), b => this.maker(b)], ["decision", b => b[10], b => b[10]]], decided, 20)];
  }
}

const panes = data.compare ? data.plans.map(p => new Pane(p)) : [new Pane(data.plans[data.chosen || 0])];
document.getElementById("panes").append(...panes.map(p => p.root));
document.title = data.plans.map(p => p.label || p.model).join(" | ");
if (!data.compare && data.plans.length > 1) {
  const said = make("output"), slider = make("input", {type: "range", min: 0, max: data.plans.length - 1, value: data.chosen || 0, id: "budget"});
  const curve = make("canvas", {className: "curve", tabIndex: -1});
  const time = p => (p.entries.find(e => e.name === "train") || p.entries[0]).nodes.reduce((sum, n) => sum + n[3], 0);
  const points = data.plans.map(p => [p.peak, time(p)]), most = i => Math.max(...points.map(p => p[i]));
  /* Seconds over bytes, both from 0. */
  const place = (p, w, h) => [46 + p[0] / most(0) * (w - 130), h - 22 - p[1] / most(1) * (h - 44)];
  const draw = () => {
    const ratio = devicePixelRatio || 1, w = curve.clientWidth, h = curve.clientHeight, pen = curve.getContext("2d");
    curve.width = w * ratio;
    curve.height = h * ratio;
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    pen.strokeStyle = css("line");
    pen.strokeRect(46, 12, w - 130 + 40, h - 34);
    pen.fillStyle = css("faint");
    pen.fillText("0 B", 40, h - 6);
    pen.fillText(bytes(most(0)), w - 130, h - 6);
    pen.fillText(seconds(most(1)), 50, 26);
    pen.strokeStyle = css("budget");
    pen.beginPath();
    points.forEach(p => pen.lineTo(...place(p, w, h)));
    pen.stroke();
    points.forEach((p, i) => {
      const [x, y] = place(p, w, h);
      pen.fillStyle = css(i === Number(slider.value) ? "mark" : "budget");
      pen.beginPath();
      pen.arc(x, y, i === Number(slider.value) ? 6 : 4, 0, 7);
      pen.fill();
    });
  };
  const tell = () => {
    const p = data.plans[slider.value];
    said.textContent = `${p.budget ? bytes(p.budget) : "no budget"}: peak ${bytes(p.peak)}, step ${seconds(time(p))}`;
    slider.setAttribute("aria-valuetext", said.textContent);
    draw();
  };
  slider.oninput = () => { tell(); panes[0].show(data.plans[slider.value]); };
  curve.style.height = "180px";
  curve.setAttribute("role", "img");
  curve.setAttribute("aria-label", `Predicted seconds of a step over bytes, ${points.length} plans. A click chooses the nearest.`);
  curve.onclick = e => {
    const box = curve.getBoundingClientRect(), far = p => { const [x, y] = place(p, box.width, box.height); return Math.hypot(x - e.clientX + box.left, y - e.clientY + box.top); };
    slider.value = points.reduce((best, p, i) => far(p) < far(points[best]) ? i : best, 0);
    slider.oninput();
  };
  addEventListener("resize", draw);
  addEventListener("beforeprint", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const ladder = document.getElementById("ladder");
  ladder.hidden = false;
  ladder.append(make("label", {htmlFor: "budget", textContent: "budget"}), slider, said);
  ladder.after(curve);
  tell();
}
const redraw = () => panes.forEach(p => p.draw());
addEventListener("resize", redraw);
addEventListener("beforeprint", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
redraw();
