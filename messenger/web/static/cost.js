// What the text in the composer would take, as the bridge reckons it before it is sent.

import { Problem, api } from "./api.js";
import { say } from "./dom.js";

// After this silence of the keyboard, in milliseconds, the bridge is asked.
const pause = 250;
// How little room left in one SMS is worth a word, in characters.
const scarce = 20;

export class Cost {
  #timer;
  #turn = 0;

  /** @param {HTMLElement} node where it is said */
  constructor(node) {
    this.node = node;
  }

  /** Says what text takes, soon; nothing where it is a plain short one. */
  update(text) {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    if (text.trim() === "") {
      say(this.node, "");
      return;
    }
    this.#timer = setTimeout(async () => {
      const words = await estimate(text);
      if (turn === this.#turn) say(this.node, words);
    }, pause);
  }
}

async function estimate(text) {
  try {
    return describe(await api.estimate(text));
  } catch (error) {
    // What cannot be sent is worth saying before it is tried; a network that is away shows elsewhere.
    return error instanceof Problem && !error.temporary ? error.message : "";
  }
}

function describe(e) {
  if (e.segments <= 1 && e.left > scarce && e.costly.length === 0) return "";
  const words = [e.segments === 1 ? "1 SMS" : `${e.segments} SMS`, `room for ${e.left} more`];
  if (e.costly.length > 0) words.push(`fewer SMS without ${e.costly.slice(0, 5).join(" ")}${e.costly.length > 5 ? " …" : ""}`);
  return words.join(" · ");
}
