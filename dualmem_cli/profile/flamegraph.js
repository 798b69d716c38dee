
"use strict";
// Draws the graphs of the data block on canvases. A canvas and not SVG: twelve thousand boxes were redrawn in 25 to 37 ms by a browser
// without a graphics processor on a busy machine. Geometry stays in samples until a box is painted, so zooming is a change of two numbers.
(() => {
  const ROW = 21, GAP = 1, ZOOM_MS = 170;
  const FONT = "12px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  const data = JSON.parse(document.getElementById("profile-data").textContent);
  const still = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const [search, match, flip, reset] = ["search", "match", "flip", "reset"].map((id) => document.getElementById(id));

  /** '41.3 % ± 2.1': count among samples, with the half-width that the page's footer defines; without one where all was counted. */
  function share(count, samples, exact) {
    const p = samples ? count / samples : 0;
    return exact ? percent(count, samples) : `${percent(count, samples)}\u00a0±\u00a0${(196 * Math.sqrt((p * (1 - p)) / (samples || 1))).toFixed(1)}`;
  }
  const percent = (count, samples) => `${((100 * count) / (samples || 1)).toFixed(1)}\u00a0%`;

  function palette() {
    const style = getComputedStyle(document.documentElement), read = (name) => style.getPropertyValue(name).trim();
    const triple = (name) => read(name).split(/\s+/).map(parseFloat);
    const kinds = data.kinds.map((kind) => triple(`--${kind}`));
    const changes = ["shrank-4", "shrank-3", "shrank-2", "shrank-1", "same", "grew-1", "grew-2", "grew-3", "grew-4"].map((name) => triple(`--${name}`));
    return { kinds, changes, match: triple("--match"), label: read("--label"), outline: read("--outline"), paper: read("--paper") };
  }
  let colours = palette();

  /** A small change of lightness, by name: it tells neighbours of one kind apart and is the same on every page. */
  function shade(name) {
    let hash = 2166136261;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
    return ((hash >>> 8) % 9) - 4;
  }
  const paint = ([hue, saturation, lightness], by) => `hsl(${hue} ${saturation}% ${lightness + by}%)`;

  const count = (number) => number.toLocaleString("en");
  const points = (number) => `${number > 0 ? "+" : number < 0 ? "\u2212" : ""}${Math.abs(number).toFixed(1)}`;

  class Graph {
    constructor(panel, graph) {
      // samples, unit, names, places, kinds by name; nodes in preorder: name, parent, self. exact: everything was counted. Of a difference also,
      // by node: step (how strongly it grew or shrank, 0 not significantly) and both (samples of the baseline and of the candidate, ends of the
      // interval in points).
      Object.assign(this, graph);
      this.canvas = panel.querySelector("canvas");
      this.stage = panel.querySelector(".stage");
      this.sheet = panel.querySelector(".sheet");
      this.detail = panel.querySelector(".detail");
      this.pen = this.canvas.getContext("2d");
      this.full = this.names.map((name, i) => (this.places[i] ? `${name} (${this.places[i]})` : name));
      this.lower = this.full.map((name) => name.toLowerCase());
      this.shades = this.full.map(shade);
      this.icicle = false;
      this.matched = new Set();
      this.matches = [];
      this.selected = this.zoomed = 0;
      this.hovered = -1;
      this.colour();
      this.layout();
      [this.from, this.to] = [0, this.total[0]];
      this.listen();
      this.tell();
    }

    /** The fill of each function, written out once: building the text for every box took longer than painting it. */
    colour() {
      this.fills = this.shades.map((by, name) => paint(colours.kinds[this.kinds[name]], by));
      this.marks = this.shades.map((by) => paint(colours.match, by));
      this.steps = colours.changes.map((triple) => paint(triple, 0));
    }

    /** Totals, offsets and rows. In preorder a node's children follow it, heaviest first. */
    layout() {
      const count = this.parent.length, next = new Float64Array(count);
      this.total = Float64Array.from(this.self);
      this.start = new Float64Array(count);
      this.depth = new Int32Array(count);
      this.rows = [[0]];
      for (let i = count - 1; i > 0; i--) this.total[this.parent[i]] += this.total[i];
      for (let i = 1; i < count; i++) {
        const up = this.parent[i];
        this.start[i] = next[i] = next[up];
        next[up] += this.total[i];
        this.depth[i] = this.depth[up] + 1;
        (this.rows[this.depth[i]] ??= []).push(i);
      }
    }

    listen() {
      const canvas = this.canvas, node = (event) => this.at(event.offsetX, event.offsetY);
      canvas.addEventListener("pointermove", (event) => this.hover(event.pointerType === "mouse" ? node(event) : -1));
      canvas.addEventListener("pointerleave", () => this.hover(-1));
      canvas.addEventListener("click", (event) => node(event) >= 0 && this.zoom(node(event)));
      canvas.addEventListener("keydown", (event) => this.key(event));
      for (const type of ["focus", "blur"]) canvas.addEventListener(type, () => this.draw());
      this.stage.addEventListener("scroll", () => this.draw(), { passive: true });
      new ResizeObserver(() => this.resize()).observe(this.stage);
    }

    resize() {
      const width = this.stage.clientWidth, content = this.rows.length * ROW, ratio = Math.min(devicePixelRatio || 1, 3);
      if (!width) return; // a hidden tab
      const low = !this.width || this.stage.scrollTop + this.height >= content - ROW;
      this.width = width;
      this.sheet.style.height = `${content}px`;
      this.height = Math.min(content, this.stage.clientHeight || content);
      this.canvas.style.height = `${this.height}px`;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.pen.setTransform(this.canvas.width / width, 0, 0, this.canvas.height / this.height, 0, 0);
      if (low && !this.icicle) this.stage.scrollTop = content;
      this.draw();
    }

    setIcicle(icicle) {
      this.icicle = icicle;
      this.stage.scrollTop = icicle ? 0 : this.rows.length * ROW;
      this.reveal(this.selected);
      this.draw();
    }

    end(node) { return this.start[node] + this.total[node]; }
    line(depth) { return this.icicle ? depth : this.rows.length - 1 - depth; } // its own inverse

    /** First entry of a row that ends after `sample`. */
    first(row, sample) {
      let low = 0, high = row.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.end(row[middle]) > sample) high = middle; else low = middle + 1;
      }
      return low;
    }

    /** The node under a point of the canvas, or -1. */
    at(x, y) {
      const row = this.rows[this.line(Math.floor((y + this.stage.scrollTop) / ROW))];
      if (!row) return -1;
      const sample = this.from + (x / this.width) * (this.to - this.from), node = row[this.first(row, sample)];
      return node !== undefined && this.start[node] <= sample ? node : -1;
    }

    draw() {
      if (!this.width) return;
      const pen = this.pen, scroll = this.stage.scrollTop;
      pen.globalAlpha = 1;
      pen.fillStyle = colours.paper;
      pen.fillRect(0, 0, this.width, this.height);
      pen.font = FONT;
      pen.textBaseline = "middle";
      this.letter = pen.measureText("0").width;
      this.rows.forEach((row, depth) => {
        const y = this.line(depth) * ROW - scroll;
        if (y > -ROW && y < this.height) this.drawRow(row, y);
      });
      pen.globalAlpha = 1;
      if (document.activeElement === this.canvas) this.outline(this.selected, 2);
      if (this.hovered >= 0) this.outline(this.hovered, 1);
    }

    drawRow(row, y) {
      const pen = this.pen, scale = this.width / (this.to - this.from);
      let drawn = 0; // right edge of what is painted: boxes thinner than half a pixel wait until they add up to one
      for (let i = this.first(row, this.from); i < row.length && this.start[row[i]] < this.to; i++) {
        const node = row[i], name = this.name[node], hit = this.matched.has(name);
        const right = Math.min((this.end(node) - this.from) * scale, this.width);
        if (right - drawn < 0.5 && !hit) {
          // Nothing to mark: straight to the box that reaches half a pixel further, so that the cost follows the pixels.
          if (!this.matched.size) i = Math.max(i, this.first(row, this.from + (drawn + 0.5) / scale) - 1);
          continue;
        }
        const left = Math.max((this.start[node] - this.from) * scale, 0), width = right - left;
        drawn = right;
        pen.globalAlpha = this.depth[node] < this.depth[this.zoomed] ? 0.5 : this.matched.size && !hit ? 0.4 : 1;
        pen.fillStyle = hit ? this.marks[name] : this.step ? this.steps[this.step[node] + 4] : this.fills[name];
        pen.fillRect(left, y, Math.max(width > 3 ? width - GAP : width, hit ? 1 : 0.5), ROW - GAP);
        this.label(node, left, y, width);
      }
    }

    /** What a colour says stands before the name too: ▲ grew, ▼ shrank. */
    label(node, left, y, width) {
      const name = this.name[node], step = this.step ? this.step[node] : 0, mark = step > 0 ? "▲ " : step < 0 ? "▼ " : "";
      const room = Math.floor((width - 9) / this.letter), full = mark + this.full[name], short = mark + this.names[name];
      if (room < 3) return;
      this.pen.fillStyle = colours.label;
      this.pen.fillText(full.length <= room ? full : short.length <= room ? short : `${short.slice(0, room - 1)}…`, left + 5, y + ROW / 2);
    }

    outline(node, thickness) {
      const scale = this.width / (this.to - this.from), inset = thickness / 2;
      const left = Math.max((this.start[node] - this.from) * scale, 0), right = Math.min((this.end(node) - this.from) * scale, this.width);
      if (right < left) return;
      this.pen.strokeStyle = colours.outline;
      this.pen.lineWidth = thickness;
      const y = this.line(this.depth[node]) * ROW - this.stage.scrollTop;
      this.pen.strokeRect(left + inset, y + inset, Math.max(right - left - GAP - thickness, 1), ROW - GAP - thickness);
    }

    hover(node) {
      if (node === this.hovered) return;
      this.hovered = node;
      this.canvas.style.cursor = node < 0 ? "default" : "pointer";
      this.tell();
      this.draw();
    }

    /** Says in words what is under the pointer, or else selected. */
    tell() {
      const node = this.hovered >= 0 ? this.hovered : this.selected, name = this.name[node], heading = document.createElement("b");
      heading.textContent = node ? this.names[name] : `all ${this.unit}`;
      heading.title = this.full[name];
      if (this.places[name]) heading.append(" ", Object.assign(document.createElement("span"), { textContent: this.places[name] }));
      if (this.step) return this.detail.replaceChildren(heading, this.compared(node));
      const total = this.total[node], own = this.self[node];
      const parts = [`total ${share(total, this.samples, this.exact)} (${total.toLocaleString("en")} of ${this.samples.toLocaleString("en")} ${this.unit})`];
      if (node) parts.push(`self ${share(own, this.samples, this.exact)}`);
      if (this.zoomed && this.depth[node] > this.depth[this.zoomed]) // what is in sight and deeper was called from there
        parts.push(`${share(total, this.total[this.zoomed], this.exact)} of ${this.names[this.name[this.zoomed]]}`);
      this.detail.replaceChildren(heading, parts.join(" · "));
    }

    /** Both sides of a box of a difference, in words. */
    compared(node) {
      const [old, now, low, high] = this.both[node], [n, m] = this.of, step = this.step[node];
      const side = (samples, all) => `${percent(samples, all)} (${count(samples)} of ${count(all)})`;
      const verdict = step > 0 ? (old ? "grew" : "new") : step < 0 ? (now ? "shrank" : "vanished") : "no significant difference";
      const change = `${points(100 * (now / m - old / n))}\u00a0points (${points(low)} to ${points(high)})`;
      return node ? `${verdict}: ${change} · baseline ${side(old, n)} · candidate ${side(now, m)}` : `baseline ${count(n)} samples, candidate ${count(m)}`;
    }

    zoom(node) {
      this.selected = this.zoomed = node;
      reset.disabled = !node;
      this.reveal(node);
      this.tell();
      const from = this.from, to = this.to, begin = performance.now(), run = (this.run = {});
      const step = (now) => {
        if (this.run !== run) return; // a later zoom took over
        const t = still.matches ? 1 : Math.min(Math.max((now - begin) / ZOOM_MS, 0), 1), eased = 1 - (1 - t) ** 3;
        this.from = t < 1 ? from + (this.start[node] - from) * eased : this.start[node];
        this.to = t < 1 ? to + (this.end(node) - to) * eased : this.end(node);
        this.draw();
        if (t < 1) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }

    select(node) {
      this.selected = node;
      this.hovered = -1;
      if (this.start[node] >= this.end(this.zoomed) || this.end(node) <= this.start[this.zoomed]) this.zoom(0);
      this.selected = node;
      this.reveal(node);
      this.tell();
      this.draw();
    }

    reveal(node) {
      const top = this.line(this.depth[node]) * ROW, stage = this.stage;
      if (top < stage.scrollTop) stage.scrollTop = top - ROW;
      else if (top + ROW > stage.scrollTop + this.height) stage.scrollTop = top + 2 * ROW - this.height;
    }

    /** The neighbour in the direction of an arrow key: callees, the caller, or the next box of the row; the node itself at an edge. */
    neighbour(key) {
      const node = this.selected, deeper = key === (this.icicle ? "ArrowDown" : "ArrowUp");
      if (deeper) { // the first in sight is the heaviest, or the only one, towards the zoomed box
        const row = this.rows[this.depth[node] + 1] ?? [], child = row[this.first(row, Math.max(this.start[node], this.from))];
        return this.parent[child] === node && this.start[child] < this.to ? child : node;
      }
      if (key === "ArrowUp" || key === "ArrowDown") return node ? this.parent[node] : 0;
      const row = this.rows[this.depth[node]], next = row[this.first(row, this.start[node]) + (key === "ArrowRight" ? 1 : -1)];
      return next !== undefined && this.start[next] < this.to && this.end(next) > this.from ? next : node;
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key.startsWith("Arrow")) this.select(this.neighbour(event.key));
      else if (event.key === "Enter" || event.key === " ") this.zoom(this.selected);
      else if (event.key === "Home") this.zoom(0);
      else return;
      event.preventDefault();
    }

    /** Marks the functions that hold `text`; says how many and, without counting a sample twice, their share. */
    find(text) {
      const wanted = text.trim().toLowerCase(), covered = new Uint8Array(this.parent.length);
      this.matched = new Set(wanted ? this.lower.map((_, i) => i).filter((i) => i && this.lower[i].includes(wanted)) : []);
      this.matches = [];
      let total = 0;
      for (let i = 1; this.matched.size && i < covered.length; i++) {
        const hit = this.matched.has(this.name[i]), above = covered[this.parent[i]];
        covered[i] = above || hit ? 1 : 0;
        if (hit && !above) {
          total += this.total[i];
          this.matches.push(i);
        }
      }
      this.matches.sort((a, b) => this.total[b] - this.total[a]);
      this.draw();
      const count = this.matched.size;
      return !wanted ? "" : count ? `${count} function${count > 1 ? "s" : ""}, ${share(total, this.samples, this.exact || this.step)}` : "no match";
    }

    nextMatch() {
      if (this.matches.length) this.select(this.matches[(this.matches.indexOf(this.selected) + 1) % this.matches.length]);
    }
  }

  const panels = [...document.querySelectorAll("main > section:not(.counts)")], tabs = [...document.querySelectorAll("[role=tab]")];
  if (!panels.length) return; // counts only: nothing to draw
  document.querySelector(".bar").hidden = false;
  for (const graph of document.querySelectorAll(".graph")) graph.hidden = false;
  for (const note of document.querySelectorAll(".scriptless")) note.hidden = true;
  const graphs = panels.map((panel, i) => new Graph(panel, data.graphs[i]));
  let current = 0;

  function show(index) {
    current = index;
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === index));
      tab.tabIndex = i === index ? 0 : -1;
    });
    panels.forEach((panel, i) => { panel.hidden = i !== index; });
    reset.disabled = !graphs[index].zoomed;
    graphs[index].resize();
    runSearch();
  }

  /** A function that only another tab holds is shown there. */
  function showFunction(name) {
    const holds = (graph) => graph.full.includes(name);
    if (!holds(graphs[current])) show(Math.max(graphs.findIndex(holds), 0));
  }

  function runSearch() { match.textContent = graphs.map((graph) => graph.find(search.value))[current]; }

  tabs.forEach((tab, i) => {
    panels[i].setAttribute("role", "tabpanel");
    panels[i].setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => show(i));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      show((i + step + tabs.length) % tabs.length);
      tabs[current].focus();
    });
  });
  for (const cell of document.querySelectorAll("tbody th")) {
    const button = Object.assign(document.createElement("button"), { type: "button", title: "Show in the graph" });
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      showFunction(cell.dataset.frame);
      search.value = cell.dataset.frame;
      runSearch();
      graphs[current].nextMatch();
      graphs[current].canvas.closest(".graph").scrollIntoView({ block: "nearest", behavior: still.matches ? "auto" : "smooth" });
    });
  }
  search.addEventListener("input", runSearch);
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") graphs[current].nextMatch(); });
  reset.addEventListener("click", () => graphs[current].zoom(0));
  flip.addEventListener("click", () => {
    const icicle = flip.getAttribute("aria-pressed") !== "true";
    flip.setAttribute("aria-pressed", String(icicle));
    for (const graph of graphs) graph.setIcicle(icicle);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (!search.value) return graphs[current].zoom(0);
      search.value = "";
      runSearch();
    }
  });
  dark.addEventListener("change", () => {
    colours = palette();
    for (const graph of graphs) {
      graph.colour();
      graph.draw();
    }
  });
  show(0);
})();
