// What the user wrote and the bridge does not have yet. It is kept before it is
// sent, and sent again under the same key until there is an answer: so nothing is
// lost silently, and nothing is sent twice.

import { api, Offline } from "./api.js";

const firstPause = 1_000;
const longestPause = 30_000;

export class Outbox {
  #items = new Map(); // by key, in order
  #busy = new Set(); // phones with a sender at work
  #wake = new Set(); // ends the pauses
  #closed = false;
  /** Whether all of it would outlive the page. */
  safe = true;

  /**
   * @param {Keep} keep
   * @param {object} on changed(phone), accepted(item, answer), signedOut(), trouble(text)
   */
  constructor(keep, on) {
    this.keep = keep;
    this.on = on;
    const items = keep.names("outbox/").map((name) => keep.get(name)).filter(Boolean);
    items.sort((a, b) => (a.at < b.at ? -1 : 1)).forEach((item) => this.#items.set(item.key, item));
  }

  /** Takes a text; it appears at once and is sent when its turn comes. */
  add(phone, text) {
    const item = { key: newKey(), phone, text, at: new Date().toISOString() };
    this.#put(item);
    this.#pump(phone);
  }

  /** The items for a phone, in the order in which they were written. */
  of(phone) {
    return [...this.#items.values()].filter((item) => item.phone === phone);
  }

  get phones() {
    return [...new Set([...this.#items.values()].map((item) => item.phone))];
  }

  get size() {
    return this.#items.size;
  }

  /** Sends a refused text once more, as a new message. */
  retry(key) {
    const item = this.#items.get(key);
    if (!item) return;
    this.remove(key);
    this.add(item.phone, item.text);
  }

  remove(key) {
    const item = this.#items.get(key);
    this.#items.delete(key);
    this.keep.drop(`outbox/${key}`);
    if (item) this.on.changed(item.phone);
    return item;
  }

  /** Tries now what waits: the network is back, or somebody signed in. */
  wake() {
    this.#wake.forEach((end) => end());
    this.phones.forEach((phone) => this.#pump(phone));
  }

  close() {
    this.#closed = true;
    this.wake();
  }

  #put(item) {
    this.#items.set(item.key, item);
    this.safe = this.keep.set(`outbox/${item.key}`, item) && this.safe;
    this.on.changed(item.phone);
  }

  /** One text of a conversation after the other, which keeps their order; in one tab at a time. */
  async #pump(phone) {
    if (this.#closed || this.#busy.has(phone)) return;
    this.#busy.add(phone);
    try {
      const work = () => this.#sendAll(phone);
      await (navigator.locks ? navigator.locks.request(`${this.keep.prefix}${phone}`, work) : work());
    } finally {
      this.#busy.delete(phone);
    }
  }

  async #sendAll(phone) {
    let pause = firstPause;
    for (;;) {
      const item = this.of(phone).find((i) => !i.refused);
      if (!item || this.#closed) return;
      if (!this.keep.get(`outbox/${item.key}`)) {
        this.remove(item.key); // another tab has sent it
        continue;
      }
      try {
        const answer = await api.send(item.key, item.phone, item.text);
        this.on.accepted(item, answer);
        this.remove(item.key);
        pause = firstPause;
      } catch (error) {
        if (error.status === 401) return this.on.signedOut();
        if (error instanceof Offline || error.temporary) {
          this.on.trouble(error instanceof Offline ? "" : error.message);
          await this.#sleep(Math.max(pause, error.after ?? 0));
          pause = Math.min(2 * pause, longestPause);
        } else {
          this.#put({ ...item, refused: true, detail: error.message });
        }
      }
    }
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#wake.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#wake.add(end);
    });
  }
}

/** A random UUID; crypto.randomUUID exists only where the page came over HTTPS or from this machine. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  return [...b].map((x, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + x.toString(16).padStart(2, "0")).join("");
}
