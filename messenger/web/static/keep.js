// What the browser keeps for a user: drafts, what is not sent yet, how far was read.
// One key for each thing, so that two tabs never overwrite each other's.

/** Where the browser keeps nothing (a private window, a full disk), memory does. */
const memory = new Map();

export class Keep {
  /** @param {string} user whose things they are */
  constructor(user) {
    this.prefix = `smsbridge/${user}/`;
  }

  get(name) {
    const key = this.prefix + name;
    try {
      return JSON.parse(memory.get(key) ?? localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  /** Returns whether it outlives the page. */
  set(name, value) {
    const key = this.prefix + name;
    try {
      localStorage.setItem(key, JSON.stringify(value));
      memory.delete(key);
      return true;
    } catch {
      memory.set(key, JSON.stringify(value));
      return false;
    }
  }

  drop(name) {
    memory.delete(this.prefix + name);
    try {
      localStorage.removeItem(this.prefix + name);
    } catch {
      // it was not there
    }
  }

  /** The names that begin so. */
  names(start) {
    let keys = [...memory.keys()];
    try {
      keys = [...new Set([...keys, ...Object.keys(localStorage)])];
    } catch {
      // memory has them all
    }
    return keys.filter((k) => k.startsWith(this.prefix + start)).map((k) => k.slice(this.prefix.length));
  }

  /** Leaves nothing behind. */
  clear() {
    this.names("").forEach((name) => this.drop(name));
  }
}
