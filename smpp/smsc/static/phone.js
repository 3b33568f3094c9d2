// A simulated phone. The fragment of the address names it: #+33612345678. All
// addresses are relative, because the page may be mounted anywhere.

import { $, el, read, say } from "./page.js";

const numberForm = /^\+[0-9]{5,15}$/;
const standard = "+33612345678";

let phone = ""; // which phone this is
let messages = []; // of this phone, oldest first
let phones = []; // all of the simulator
let other = null; // whose thread is open: a number, "" for a new one, null for none
const drafts = new Map(); // by phone and thread

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const peer = (m) => (m.direction === "received" ? m.from : m.to);

const messagesOf = (number) => `phones/${encodeURIComponent(number)}/messages`;

// Which phone.

function pick() {
  const wanted = decodeURIComponent(location.hash.slice(1)).replaceAll(/[ .()-]/g, "");
  const next = numberForm.test(wanted) ? wanted : phones[0]?.msisdn ?? standard;
  if (next === phone) return;
  phone = next;
  messages = [];
  other = null;
  toggle(false);
  $("number").textContent = phone;
  document.title = `Phone ${phone}`;
  show();
  refresh();
}

/** Reads all anew: which phones there are, and what this one has. */
async function refresh() {
  const asked = phone;
  try {
    const [all, mine] = await Promise.all([read("phones"), read(messagesOf(phone))]);
    if (asked !== phone) return;
    phones = all;
    const ids = new Set(mine.map((m) => m.id));
    const first = messages.length === 0;
    messages = [...mine, ...messages.filter((m) => !ids.has(m.id) && m.at >= (mine.at(-1)?.at ?? ""))];
    if (first && other === null && messages.length) other = peer(messages.at(-1));
    say($("trouble"), "");
  } catch (error) {
    say($("trouble"), error.message);
  }
  show();
}

/** A message that is new, or whose state has changed. */
function arrived(m) {
  const known = phones.find((p) => p.msisdn === m.phone);
  const count = known?.messages ?? 0;
  phones = [{ msisdn: m.phone, messages: known?.last?.id === m.id ? count : count + 1, last: m }, ...phones.filter((p) => p !== known)];
  if (m.phone === phone) {
    const at = messages.findIndex((x) => x.id === m.id);
    if (at >= 0) messages[at] = m;
    else messages.push(m);
    if (other === null && messages.length === 1) other = peer(m);
  }
  show();
}

// Showing.

function show() {
  $("threads").hidden = other !== null;
  $("thread").hidden = other === null;
  if (other === null) showThreads();
  else showThread();
  $("phone-list").replaceChildren(...phones.slice(0, 50).map((p) => {
    const button = el("button", { type: "button" }, p.msisdn, el("span", { textContent: p.messages === 1 ? "1 message" : `${p.messages} messages` }));
    if (p.msisdn === phone) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => use(p.msisdn));
    return el("li", {}, button);
  }));
}

function showThreads() {
  const threads = new Map();
  for (const m of messages) {
    threads.delete(peer(m)); // the latest comes last
    threads.set(peer(m), m);
  }
  $("thread-list").replaceChildren(...[...threads].reverse().map(([number, m]) => {
    const button = el("button", { type: "button" }, el("strong", { textContent: number }),
      el("time", { textContent: clock.format(new Date(m.at)) }), el("span", { textContent: m.text }));
    button.addEventListener("click", () => open(number));
    return el("li", {}, button);
  }));
  $("threads-empty").hidden = threads.size > 0;
}

const nodes = new Map(); // bubbles by id: a live region must not be filled twice
let shown = "";

function showThread() {
  const list = $("messages");
  const thread = `${phone} ${other}`;
  if (shown !== thread) {
    shown = thread;
    nodes.clear();
    list.replaceChildren();
    $("text").value = drafts.get(thread) ?? "";
    fit();
  }
  $("with").hidden = other === "";
  $("with").textContent = other;
  $("to").hidden = other !== "";
  const end = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  for (const m of messages.filter((x) => peer(x) === other)) {
    if (!nodes.has(m.id)) {
      nodes.set(m.id, el("li", { className: m.direction }, el("span", { className: "text", textContent: m.text }), el("small", { className: "small" })));
      list.append(nodes.get(m.id));
    }
    const state = { pending: "waiting for the bridge", accepted: "sent", refused: "not taken by the bridge" }[m.state];
    const facts = [clock.format(new Date(m.at)), m.encoding, `${m.segments} SMS`];
    const small = nodes.get(m.id).querySelector(".small");
    small.replaceChildren(facts.join(" · "), state ? " · " : "", state ? el(m.state === "refused" ? "b" : "span", { textContent: state }) : "");
  }
  if (end) list.scrollTop = list.scrollHeight;
}

function open(number) {
  other = number;
  show();
  $("messages").scrollTop = $("messages").scrollHeight;
  (number === "" ? $("to") : $("text")).focus({ preventScroll: true });
}

// Writing.

function fit() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

async function send() {
  const text = $("text").value;
  const to = other === "" ? $("to").value.trim() : other;
  say($("error"), "");
  if (!text.trim()) return;
  if (!to) return say($("error"), "Write to which number? The bridge’s numbers look like +33700000001.");
  $("text").value = "";
  fit();
  try {
    const m = await read(messagesOf(phone), {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ to, text }),
    });
    drafts.delete(`${phone} ${other}`);
    if (other === "") {
      $("to").value = "";
      other = m.to;
    }
    if (!messages.some((x) => x.id === m.id)) arrived(m); // unless the event was faster, and knows more
    else show();
  } catch (error) {
    // What could not be sent goes back to where it was written.
    if (!$("text").value) $("text").value = text;
    fit();
    say($("error"), error.message);
  }
}

$("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
let sending = false;
$("text").addEventListener("keydown", (event) => {
  sending = event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
  if (!sending) return;
  event.preventDefault();
  send();
});
$("text").addEventListener("beforeinput", (event) => {
  if (sending && event.inputType === "insertLineBreak") event.preventDefault();
});
$("text").addEventListener("input", () => {
  drafts.set(`${phone} ${other}`, $("text").value);
  fit();
});
$("back").addEventListener("click", () => open(null));
$("compose").addEventListener("click", () => open(""));

// Choosing a phone, and the magic numbers.

function toggle(visible) {
  $("phones").hidden = !visible;
  $("switch").setAttribute("aria-expanded", String(visible));
}

function use(number) {
  toggle(false);
  location.hash = number;
}

$("switch").addEventListener("click", () => {
  toggle($("phones").hidden);
  if (!$("phones").hidden) $("other-number").focus();
});
$("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = $("other-number").value.replaceAll(/[ .()-]/g, "").replace(/^00/, "+");
  const good = numberForm.test(number);
  say($("other-error"), good ? "" : "Write it in international form, like +33612345678.");
  if (!good) return;
  $("other-number").value = "";
  use(number);
});
$("help").addEventListener("click", async () => {
  try {
    const faults = await read("magic");
    $("magic-list").replaceChildren(...faults.flatMap((f) => [el("dt", { textContent: `…${f.suffix}` }), el("dd", { textContent: f.text })]));
    $("magic").showModal();
  } catch (error) {
    say($("trouble"), error.message);
  }
});
addEventListener("hashchange", pick);

function tick() {
  $("clock").textContent = clock.format(new Date());
}
setInterval(tick, 10_000);
tick();

// Live. Each time the stream opens, all is read anew: nothing is missed.

function listen() {
  const events = new EventSource("events");
  events.addEventListener("open", refresh);
  events.addEventListener("message", (event) => arrived(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    say($("trouble"), "The simulator does not answer. Connecting again…");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

pick();
listen();
