// A plot of the last hour: lines over time, with the values under the pointer or the arrow keys.

import { clockOf, el, put } from "./dom.js";

const height = 150;
const left = 54, right = 8, top = 8, bottom = 20;

function svg(tag, attributes = {}, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The next number of 1, 2 or 5 and zeros. */
function round(n) {
  const unit = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].find((step) => step * unit >= n) * unit;
}

const times = [1, 2, 4, 10, 20, 60, 120, 240, 600, 1200, 3600, 7200, 14400, 43200, 86400];

/** The next number of seconds of which the half is round as well. */
const roundTime = (seconds) => times.find((t) => t >= seconds) ?? round(seconds / 86400) * 86400;

const minute = 60_000;
const spans = [12, 20, 40, 60].map((n) => n * minute);

export class Plot {
  #at = [];
  #values = {};
  #cursor = null; // which sample is looked at; null is the last

  /**
   * @param {string} title
   * @param {Array<{key: string, label: string}>} lines
   * @param {(n: number) => string} format of a value
   * @param {number} least the scale reaches at least up to it
   * @param {boolean} time whether the values are seconds
   */
  constructor(title, lines, format, least, time = false) {
    Object.assign(this, { title, lines, format, least, round: time ? roundTime : round });
    this.picture = svg("svg", { class: "plot", role: "img", tabindex: "0", height });
    this.legend = el("ul", { className: "legend" });
    this.time = el("span", { className: "soft" });
    this.readouts = lines.map((line) => {
      const value = el("b");
      this.legend.append(el("li", { className: `line-${line.key}` }, el("i"), el("span", {}, `${line.label} `, value)));
      return value;
    });
    this.node = el("figure", {}, el("figcaption", {}, el("h3", { textContent: title }), this.time), this.picture, this.legend);
    new ResizeObserver(() => this.#draw()).observe(this.node);
    this.picture.addEventListener("pointermove", (event) => this.#look(this.#sampleAt(event.offsetX)));
    this.picture.addEventListener("pointerleave", () => this.#look(null));
    this.picture.addEventListener("blur", () => this.#look(null));
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.#at.length) return;
      event.preventDefault();
      const last = this.#at.length - 1;
      this.#look(Math.min(last, Math.max(0, (this.#cursor ?? last) + step)));
    });
  }

  show(at, values) {
    this.#at = at.map((t) => new Date(t).getTime());
    this.#values = values;
    this.#draw();
  }

  get #width() {
    return Math.max(200, this.node.clientWidth);
  }

  // An hour, or less while the daemon has not run for that long.
  get #span() {
    return spans.find((span) => span >= this.#at.at(-1) - this.#at[0]) ?? spans.at(-1);
  }

  #x(t) {
    const end = this.#at.at(-1);
    return left + (this.#width - left - right) * Math.max(0, 1 - (end - t) / this.#span);
  }

  #sampleAt(x) {
    if (!this.#at.length) return null;
    let best = 0;
    this.#at.forEach((t, i) => {
      if (Math.abs(this.#x(t) - x) < Math.abs(this.#x(this.#at[best]) - x)) best = i;
    });
    return best;
  }

  #look(i) {
    this.#cursor = i;
    this.#draw();
  }

  #draw() {
    const width = this.#width;
    const end = this.#at.at(-1);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.setAttribute("width", width);
    const all = this.lines.flatMap((line) => this.#values[line.key] ?? []).filter((v) => v !== null);
    const max = this.round(Math.max(this.least, ...all));
    const y = (v) => top + (height - top - bottom) * (1 - v / max);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      parts.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(share * max), y2: y(share * max) }));
      parts.push(svg("text", { class: "tick", x: left - 6, y: y(share * max) + 4, "text-anchor": "end" }, this.format(share * max)));
    }
    if (end !== undefined) {
      for (const part of [0, 1, 2, 3, 4]) {
        const t = end - this.#span * (1 - part / 4);
        const anchor = ["start", "middle", "middle", "middle", "end"][part];
        parts.push(svg("text", { class: "tick", x: this.#x(t), y: height - 4, "text-anchor": anchor }, clockOf(t)));
      }
    }
    for (const line of this.lines) parts.push(svg("path", { class: `curve line-${line.key}`, d: this.#path(this.#values[line.key] ?? [], y) }));
    if (this.#cursor !== null && this.#at[this.#cursor] !== undefined) {
      const x = this.#x(this.#at[this.#cursor]);
      parts.push(svg("line", { class: "cursor", x1: x, x2: x, y1: top, y2: height - bottom }));
    }
    this.picture.replaceChildren(...parts);
    this.#tell(all.length > 0);
  }

  // A gap is where a value is not known.
  #path(values, y) {
    let d = "";
    let pen = false;
    values.forEach((v, i) => {
      if (v === null) {
        pen = false;
        return;
      }
      const point = `${this.#x(this.#at[i]).toFixed(1)} ${y(v).toFixed(1)}`;
      // A lone point is a dot.
      d += pen ? `L${point}` : `M${point}h.1`;
      pen = true;
    });
    return d;
  }

  #tell(something) {
    const i = this.#cursor ?? this.#at.length - 1;
    const said = this.lines.map((line, n) => {
      const v = this.#values[line.key]?.[i];
      const text = v == null ? "–" : this.format(v);
      put(this.readouts[n], text);
      return `${line.label} ${text}`;
    });
    put(this.time, this.#at[i] === undefined ? "" : this.#cursor === null ? "now" : clockOf(this.#at[i]));
    const when = this.#cursor === null ? "now" : `at ${clockOf(this.#at[i])}`;
    this.picture.setAttribute("aria-label", something ? `${this.title} over the last hour; ${when}: ${said.join(", ")}. Arrow keys go through it.` : `${this.title}: nothing yet.`);
  }
}
