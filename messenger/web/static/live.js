// The event stream, held open for as long as somebody is signed in.

// The server shows a sign of life every 15 seconds; a stream without one is dead,
// although the browser may not know it yet.
const silence = 40_000;
const firstPause = 1_000;
const longestPause = 30_000;

export class Live {
  #source = null;
  #timer = 0;
  #pause = firstPause;

  /**
   * @param {object} on what to call: ready() when nothing is missed from now on,
   *   message(m), status(s), and lost() when the stream is gone
   */
  constructor(on) {
    this.on = on;
    addEventListener("online", () => this.#source && this.open());
  }

  /** Opens the stream, or opens it anew. */
  open() {
    this.close();
    const source = new EventSource("/api/v1/events");
    this.#source = source;
    const heard = (name, take) => source.addEventListener(name, (event) => {
      this.#wait(silence);
      take?.(JSON.parse(event.data));
    });
    heard("ready", () => {
      this.#pause = firstPause;
      this.on.ready();
    });
    heard("message", this.on.message);
    heard("status", this.on.status);
    heard("heartbeat");
    source.onerror = () => {
      this.on.lost();
      // A stream that broke is opened again by the browser, which says where it
      // was; one that was refused is not.
      if (source.readyState === EventSource.CLOSED) this.#again();
    };
    this.#wait(silence);
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.on.lost();
      this.#again();
    }, ms);
  }

  #again() {
    this.#source?.close();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, longestPause);
  }
}
