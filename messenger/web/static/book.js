// The conversations as far as the page knows them. Entries may come twice and from
// two sides, the event stream and a read; they are told by their ids.

// How many conversations the server lists at most.
const mostListed = 200;

const final = new Set(["delivered", "failed", "expired", "unknown"]);
const rank = (status) => (final.has(status) ? 2 : status === "sent" ? 1 : 0);

/** A state that comes late does not undo a later one, and a final one stays. */
const follows = (old, next) => !final.has(old) && rank(next) >= rank(old);

/** The message m with the later of its status and that of the one known before. */
const latest = (known, m) => (known?.status && !follows(known.status, m.status)
  ? { ...m, status: known.status, reason: known.reason, detail: known.detail } : m);

export class Book {
  #conversations = new Map();

  /** @param {Keep} keep where it is noted how far was read */
  constructor(keep) {
    this.keep = keep;
  }

  /** The conversation with a phone, made where there is none. */
  with(phone) {
    let c = this.#conversations.get(phone);
    if (!c) {
      c = { phone, number: "", messages: [], loaded: 0, more: false };
      this.#conversations.set(phone, c);
    }
    return c;
  }

  /** All that have a message, the latest first. */
  all() {
    return [...this.#conversations.values()].filter((c) => c.messages.length)
      .sort((a, b) => (last(a).at < last(b).at ? 1 : -1));
  }

  /** Says that texts may be missing: each conversation is to be read anew when it is needed. */
  outdate() {
    for (const c of this.#conversations.values()) c.loaded = 0;
  }

  /** How many messages each conversation has. */
  sizes() {
    return new Map([...this.#conversations.values()].map((c) => [c.phone, c.messages.length]));
  }

  /** Forgets conversations that the server did not list, unless something came since sizes were taken. */
  forget(listed, sizes) {
    if (listed.length >= mostListed) return;
    for (const [phone, size] of sizes) {
      if (!listed.includes(phone) && this.with(phone).messages.length === size) this.#conversations.delete(phone);
    }
  }

  /** Adds a message, or what is new of one that is there. Returns whether it is new. */
  add(m) {
    const c = this.with(m.phone);
    c.number = m.number || c.number;
    const known = c.messages.find((x) => x.id === m.id);
    if (!known) {
      c.messages.push(m);
      return true;
    }
    Object.assign(known, latest(known, m));
    return false;
  }

  /** Notes a new status. Returns the message, or nothing where it is not known. */
  note({ id, phone, status, reason, detail }) {
    const m = this.with(phone).messages.find((x) => x.id === id);
    return m && follows(m.status, status) ? Object.assign(m, { status, reason, detail }) : m;
  }

  /** Takes what a read of the server gave: its order counts; what came meanwhile stays behind it. */
  merge(phone, messages, limit) {
    const c = this.with(phone);
    const read = new Set(messages.map((m) => m.id));
    const end = messages.at(-1)?.at ?? "";
    const meanwhile = c.messages.filter((m) => !read.has(m.id) && m.at >= end);
    const before = new Map(c.messages.map((m) => [m.id, m]));
    c.messages = messages.map((m) => latest(before.get(m.id), m)).concat(meanwhile);
    c.loaded = limit;
    c.more = messages.length >= limit;
    if (messages.length) c.number = messages.at(-1).number;
    return c;
  }

  /** How many texts of the phone were not read: those after what was read, and after what was answered. */
  unread(c) {
    const mark = this.keep.get(`read/${c.phone}`) ?? "";
    let count = 0;
    for (let i = c.messages.length - 1; i >= 0; i--) {
      const m = c.messages[i];
      if (m.direction === "mt" || m.at <= mark) break;
      count++;
    }
    return count;
  }

  /** Notes that all there is has been read. */
  read(c) {
    const m = c.messages.findLast((x) => x.direction === "mo");
    if (m && m.at > (this.keep.get(`read/${c.phone}`) ?? "")) this.keep.set(`read/${c.phone}`, m.at);
  }
}

/** The latest message of a conversation that has one. */
export const last = (c) => c.messages.at(-1);
