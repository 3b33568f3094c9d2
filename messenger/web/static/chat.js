// One conversation: its bubbles and the place to write.

import { Cost } from "./cost.js";
import { $, arrange, dayKey, dayName, el, face, mark, say, timeOf } from "./dom.js";

// How close to the end, in pixels, counts as at the end.
const near = 80;

export class Chat {
  #nodes = new Map(); // by key of what they show
  #phone = "";
  #shown = ""; // the key of the last message

  /** @param {object} on send(text), draft(text), back(), seen(), earlier(), retry(key), edit(key), remove(key) */
  constructor(on) {
    this.on = on;
    this.text = $("text");
    this.cost = new Cost($("cost"));
    this.scroll = $("scroll");
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    let sending = false;
    this.text.addEventListener("keydown", (event) => {
      // An input method uses Enter to choose characters.
      sending = event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
      if (!sending) return;
      event.preventDefault();
      this.#send();
    });
    // Some keyboards give the line break of Enter apart from the key.
    this.text.addEventListener("beforeinput", (event) => {
      if (sending && event.inputType === "insertLineBreak") event.preventDefault();
    });
    this.text.addEventListener("input", () => {
      this.#fit();
      on.draft(this.text.value);
    });
    this.scroll.addEventListener("scroll", () => {
      if (this.#atEnd()) this.#reached();
    }, { passive: true });
    new ResizeObserver(() => this.#stick && this.#toEnd()).observe(this.scroll);
    $("latest").addEventListener("click", () => this.#toEnd());
    $("earlier").addEventListener("click", () => on.earlier());
    $("back").addEventListener("click", () => on.back());
  }

  #stick = true;

  get phone() {
    return this.#phone;
  }

  /** Whether the person looks at the end of the conversation. */
  get watched() {
    return this.#phone !== "" && document.visibilityState === "visible" && this.#stick;
  }

  open(phone, draft) {
    this.#phone = phone;
    this.#nodes.clear();
    this.#shown = "";
    this.#stick = true;
    $("messages").replaceChildren();
    $("chat-name").textContent = phone;
    face($("chat-face"), phone);
    this.text.value = draft;
    $("chat").hidden = false;
    $("nothing").hidden = true;
    this.#fit(); // what is hidden has no height
  }

  close() {
    this.#phone = "";
    this.#nodes.clear();
    $("messages").replaceChildren();
    this.text.value = "";
    $("chat").hidden = true;
    $("nothing").hidden = false;
  }

  /** Shows a conversation and what waits to be sent in it. */
  show(c, waiting) {
    say($("chat-number"), c.number ? `over ${c.number}` : "");
    $("earlier").hidden = !c.more || c.loaded >= 500;
    $("chat-empty").hidden = c.messages.length + waiting.length > 0;
    const sent = new Set(c.messages.map((m) => m.idempotency_key).filter(Boolean));
    const all = [...c.messages, ...waiting.filter((item) => !sent.has(item.key)).map(asMessage)];
    const nodes = [];
    const keys = new Set();
    let day = "";
    const keep = (key, make) => {
      keys.add(key);
      if (!this.#nodes.has(key)) this.#nodes.set(key, make());
      nodes.push(this.#nodes.get(key));
      return this.#nodes.get(key);
    };
    for (const m of all) {
      if (dayKey(m.at) !== day) {
        day = dayKey(m.at);
        keep(`day ${day}`, () => el("li", { className: "day" }, el("span", { textContent: dayName(m.at) })));
      }
      this.#update(keep(keyOf(m), () => this.#bubble(m)), m);
    }
    for (const key of this.#nodes.keys()) if (!keys.has(key)) this.#nodes.delete(key);
    const bottom = this.scroll.scrollHeight - this.scroll.scrollTop;
    const first = $("messages").firstElementChild;
    arrange($("messages"), nodes);
    this.#settle(all.at(-1), bottom, first !== nodes[0]);
  }

  /** Puts what was written back into the composer. */
  restore(text) {
    this.text.value = text;
    this.#fit();
    this.text.focus();
    this.on.draft(text);
  }

  #toEnd() {
    this.#stick = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
    $("latest").hidden = true;
  }

  /** Keeps the view where it was, or at the end. */
  #settle(latest, bottom, prepended) {
    const key = latest && keyOf(latest);
    const news = key !== this.#shown;
    const first = this.#shown === "";
    this.#shown = key ?? "";
    if (this.#stick || first || (news && latest?.direction === "mt" && latest.fresh)) this.#toEnd();
    else if (news) $("latest").hidden = false;
    else if (prepended) this.scroll.scrollTop = this.scroll.scrollHeight - bottom;
  }

  #atEnd() {
    const end = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < near;
    this.#stick = end;
    return end;
  }

  #reached() {
    $("latest").hidden = true;
    this.on.seen();
  }

  #send() {
    const text = this.text.value;
    if (!text.trim()) return;
    this.text.value = "";
    this.#fit();
    this.on.draft("");
    this.#stick = true;
    this.on.send(text);
    this.text.focus();
  }

  /** The composer is as high as its text, up to what the style sheet allows, and tells what that takes. */
  #fit() {
    this.cost.update(this.text.value);
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }

  #bubble(m) {
    const who = el("span", { className: "unseen", textContent: m.direction === "mt" ? "You: " : `${m.phone}: ` });
    return el("li", { className: `message ${m.direction}` },
      el("div", { className: "bubble" },
        who, el("p", { className: "text", textContent: m.text }),
        el("span", { className: "meta" }, el("time", { dateTime: m.at, textContent: timeOf(m.at) }))),
      el("p", { className: "why", hidden: true }),
      el("p", { className: "choices", hidden: true }));
  }

  /** Brings a bubble to the present status. */
  #update(node, m) {
    node.dataset.id = m.id ?? "";
    if (!m.status) return;
    const [bubble, why, choices] = node.children;
    const meta = bubble.querySelector(".meta");
    const old = meta.querySelector(".mark");
    if (old?.dataset.status !== m.status) {
      old?.remove();
      meta.append(mark(m.status));
      for (const name of ["waiting", "refused", "failed", "expired", "unknown"]) node.classList.toggle(name, name === m.status);
    }
    say(why, m.detail ?? "");
    choices.hidden = m.status !== "refused";
    if (m.status === "refused" && !choices.childElementCount) choices.append(...this.#choices(m.key));
  }

  #choices(key) {
    return ["retry", "edit", "remove"].map((what) => {
      const button = el("button", { type: "button", className: "quiet", textContent: { retry: "Try again", edit: "Edit", remove: "Remove" }[what] });
      button.addEventListener("click", () => this.on[what](key));
      return button;
    });
  }
}

/** What an item of the outbox looks like among messages. */
const asMessage = (item) => ({
  ...item, direction: "mt", fresh: true, status: item.refused ? "refused" : "waiting", detail: item.refused ? item.detail : "",
});

/** A message keeps its bubble when the bridge takes it: the key is the same. */
const keyOf = (m) => m.key ?? m.idempotency_key ?? m.id;
