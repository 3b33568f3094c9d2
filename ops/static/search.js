// Finding a message, and its whole story.

import { $, cell, el, exactOf, keep, put, say, whenOf } from "./dom.js";
import { get } from "./api.js";

const states = {
  delivered: "good", handed: "good", sent: "", accepted: "", waiting: "warning", submitting: "warning",
  failed: "bad", expired: "bad", dead: "bad", unknown: "warning",
};
const pill = (state) => el("span", { className: `pill ${states[state] ?? ""}`, textContent: state });

/** What is meant: a phone begins with + or is digits, a handle has its network before a colon. */
function query(text) {
  if (/^\+?[\d\s()./-]+$/.test(text)) return `phone=${encodeURIComponent(text)}`;
  if (/^[a-z]+:/.test(text)) return `handle=${encodeURIComponent(text)}`;
  return null;
}

/** A button that shows the story of a message. */
export function storyButton(id) {
  const button = el("button", { type: "button", textContent: "Story" });
  button.setAttribute("aria-label", `Story of message ${id}`);
  button.addEventListener("click", () => attempt(() => showStory(id)));
  return button;
}

/** Does something, and says what went wrong with it. */
async function attempt(act) {
  say($("search-said"), "Looking…");
  try {
    say($("search-said"), await act());
  } catch (error) {
    $("story").hidden = true;
    say($("search-said"), error.message);
  }
}

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("search-what").value.trim();
  if (!text) return $("search-what").focus();
  $("story").hidden = true;
  $("found-table").hidden = true;
  const by = query(text);
  attempt(by ? () => showFound(by) : () => showStory(text));
});

async function showFound(by) {
  const { messages } = await get(`messages?${by}`);
  keep($("found"), messages, (m) => m.id, (m) => el("tr", {},
    cell("When", el("time", { textContent: whenOf(m.at), title: exactOf(m.at) })),
    cell("Message", el("span", { textContent: way(m) })), cell("State", el("span")), cell("Detail"),
    cell("", el("div", { className: "buttons" }, storyButton(m.id)))), (row, m) => {
    row.children[2].firstChild.replaceChildren(pill(m.state));
    put(row.children[3], [m.reason, m.detail].filter(Boolean).join(": ") || "–");
  });
  $("found-table").hidden = messages.length === 0;
  return messages.length ? "" : "There are no messages of that phone or handle.";
}

const way = (m) => (m.kind === "mo" ? `${m.phone} → ${m.handle || "nobody"}` : `${m.handle} → ${m.phone}`);

async function showStory(id) {
  const m = await get(`messages/${encodeURIComponent(id)}`);
  $("story-title").replaceChildren(`${way(m)} `, pill(m.state));
  const receipts = (m.segments ?? []).map((s, i) => `${i + 1}: ${s.smsc_id || "no id"}${s.state ? `, ${s.state}` : ""}${s.code ? ` (${s.code})` : ""}`);
  const facts = [
    ["Id", m.id], ["Why", [m.reason, m.detail].filter(Boolean).join(": ")], ["Waits for", m.waits_for], ["Over", m.number], ["Route", m.route],
    ["Link", m.link], ["Account", m.account], ["Attempts", m.attempts && `${m.attempts} refused for now`],
    ["Next attempt", m.next_at && exactOf(m.next_at)], ["Valid until", m.expires_at && exactOf(m.expires_at)], ["Segments", receipts.join("; ")],
    ["In the queue", (m.queued ?? []).join(", ")], ["Dead letter", m.dead && `${m.dead.reason}: ${m.dead.detail}`],
    ["Sender told", m.kind === "mt" ? (m.told ? "yes" : "not yet of an end") : ""],
  ];
  $("story-facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { textContent: value })]));
  $("story-steps").replaceChildren(...(m.steps ?? []).map((s) => el("li", {},
    el("time", { textContent: exactOf(s.at), dateTime: s.at }), pill(s.state), ` ${[s.link && `over ${s.link}`, s.reason, s.detail].filter(Boolean).join(": ")}`)));
  $("story").hidden = false;
  $("story").focus();
  $("story").scrollIntoView({ block: "nearest" });
  return "";
}
