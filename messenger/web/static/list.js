// The list of conversations.

import { $, arrange, el, face, mark, say, whenOf } from "./dom.js";
import { last } from "./book.js";

export class List {
  #rows = new Map(); // by phone

  /** @param {(phone: string) => void} open what a click does */
  constructor(open) {
    this.open = open;
  }

  /** Shows these conversations; each has its unread count, draft and waiting text beside it. */
  show(items, openPhone) {
    arrange($("list"), items.map((item) => this.#row(item, item.c.phone === openPhone)));
    for (const phone of this.#rows.keys()) {
      if (!items.some((item) => item.c.phone === phone)) this.#rows.delete(phone);
    }
    $("list-empty").hidden = items.length > 0;
  }

  clear() {
    this.#rows.clear();
    $("list").replaceChildren();
  }

  #row({ c, unread, draft, waiting }, current) {
    let row = this.#rows.get(c.phone);
    if (!row) {
      const button = el("button", { type: "button" },
        face(el("span", { ariaHidden: "true" }), c.phone),
        el("span", { className: "name", textContent: c.phone }), el("time"),
        el("span", { className: "last" }), el("span", { className: "badge", hidden: true }));
      button.addEventListener("click", () => this.open(c.phone));
      row = el("li", {}, button);
      row.dataset.phone = c.phone;
      this.#rows.set(c.phone, row);
    }
    const m = waiting ?? last(c);
    const [button] = row.children;
    const [, , time, preview, badge] = button.children;
    if (current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.classList.toggle("unread", unread > 0);
    time.textContent = m ? whenOf(m.at) : "";
    preview.replaceChildren(...this.#preview(m, draft, current));
    badge.setAttribute("aria-label", unread === 1 ? "1 new message" : `${unread} new messages`);
    say(badge, unread ? String(unread) : "");
    return row;
  }

  #preview(m, draft, current) {
    if (draft && !current) return [el("em", { textContent: "Draft: " }), draft];
    if (!m) return [];
    const status = m.key ? (m.refused ? "refused" : "waiting") : m.status;
    return status ? [mark(status), m.text] : [m.text];
  }
}
