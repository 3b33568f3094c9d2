// Small helpers for the page's elements. Texts are only ever set as text.

export const $ = (id) => document.getElementById(id);

/** Makes an element with properties and children; a string child becomes text. */
export function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((c) => c != null));
  return node;
}

/** Shows text in an element, or hides it where there is none. */
export function say(node, text) {
  node.textContent = text ?? "";
  node.hidden = !text;
}

/** Makes the children of parent these nodes, touching only what differs. */
export function arrange(parent, nodes) {
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}

const paths = {
  waiting: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v4l3 2"],
  accepted: ["M6 13l4 4 9-10"],
  sent: ["M2 13l4 4 9-10", "M11 16l1 1 9-10"],
  delivered: ["M2 13l4 4 9-10", "M11 16l1 1 9-10"],
  failed: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 8v5", "M12 16v.01"],
  unknown: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M10 10a2 2 0 1 1 3 1.7c-.7.4-1 .8-1 1.6", "M12 16v.01"],
};
paths.expired = paths.refused = paths.failed;

const words = {
  waiting: "Waiting to be sent", accepted: "Accepted", sent: "Sent", delivered: "Delivered",
  failed: "Not delivered", expired: "Expired", refused: "Not sent", unknown: "Nobody knows whether it arrived",
};

/** The mark of a status: ticks for the eye, words for screen readers and the pointer. */
export function mark(status) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths[status] ?? []) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  const label = words[status] ?? status;
  const node = el("span", { className: `mark ${status}`, title: label }, svg, el("span", { className: "unseen", textContent: label }));
  node.dataset.status = status;
  return node;
}

/** What a status is called. */
export const wordFor = (status) => words[status] ?? status;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const timeOf = (at) => clock.format(new Date(at));

/** A day's own key, in the viewer's time zone. */
export const dayKey = (at) => {
  const d = new Date(at);
  return `${d.getFullYear()}-${d.getMonth() + 1}-${d.getDate()}`;
};

/** What a day is called: today, yesterday, Sunday 22 November, or with its year. */
export function dayName(at) {
  const now = new Date();
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (dayKey(at) === dayKey(now)) return "Today";
  if (dayKey(at) === dayKey(yesterday)) return "Yesterday";
  return (now - new Date(at) < 300 * 86400e3 ? day : dayOfYear).format(new Date(at));
}

/** A time as short as it can be in a list. */
export const whenOf = (at) => (dayKey(at) === dayKey(new Date()) ? timeOf(at) : short.format(new Date(at)));

/** The face of a phone: its last two digits on one of eight colours. */
export function face(node, phone) {
  node.textContent = phone.slice(-2);
  node.className = `face hue-${[...phone].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 8}`;
  return node;
}
