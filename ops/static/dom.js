// Small helpers for the page's elements. Texts are only ever set as text.

export const $ = (id) => document.getElementById(id);

/** Makes an element with properties and children; a string child becomes text. */
export function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((c) => c != null));
  return node;
}

/** Sets a text, touching nothing where it stands there already. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows text in an element, or hides it where there is none. */
export function say(node, text) {
  put(node, text ?? "");
  node.hidden = !text;
}

/**
 * Keeps the children of a parent as the items are: what is there stays, with its focus, and is
 * only changed.
 * @param {Element} parent
 * @param {Array} items
 * @param {(item) => string} key
 * @param {(item) => Element} make
 * @param {(node: Element, item) => void} update
 */
export function keep(parent, items, key, make, update) {
  const had = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, i) => {
    let node = had.get(key(item));
    if (!node) {
      node = make(item);
      node.dataset.key = key(item);
    }
    had.delete(key(item));
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
    update(node, item);
  });
  for (const node of had.values()) node.remove();
}

/** Makes a cell of a table; on a narrow screen its label stands before it. */
export function cell(label, ...children) {
  const node = el("td", {}, ...children);
  node.dataset.label = label;
  return node;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const clockOf = (at) => clock.format(new Date(at));
export const exactOf = (at) => exact.format(new Date(at));

/** A time as short as it can be: of today without its day. */
export const whenOf = (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock : day).format(new Date(at));

/** How long, as people say it. */
export function lasting(seconds) {
  const s = Math.max(0, seconds);
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} days`;
}

/** A number with at most three digits and a unit. */
export function short(n) {
  for (const [unit, of] of [["M", 1e6], ["k", 1e3]]) {
    if (n >= of) return `${Number((n / of).toPrecision(3))}${unit}`;
  }
  return String(Number(n.toPrecision(3)));
}
