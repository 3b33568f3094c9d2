// The page: asks the daemon every two seconds and shows what it says.

import { $, clockOf, el, exactOf, keep, lasting, put, say, short, whenOf } from "./dom.js";
import { get, Offline } from "./api.js";
import { Plot } from "./plot.js";
import "./search.js";
import { holdButton, purgeButton, showDead, showHeld, showLinks, showRoutes } from "./tables.js";

const often = 2_000; // what is now
const seldom = 10_000; // the hour, of which there is a sample each 10 s, and the dead letters

const count = (n) => short(n);
const rate = (n) => `${short(n)}/s`;
const brief = (s) => (s > 0 && s < 1 ? `${Math.round(s * 1000)} ms` : s < 10 ? `${Number(s.toPrecision(2))} s` : lasting(s));
const stages = [
  { key: "mt", label: "To phones (MT)" }, { key: "mo", label: "From phones (MO)" },
  { key: "out", label: "To messengers" }, { key: "dead", label: "Dead letters" },
];
const plots = {
  depth: new Plot("Messages that wait", stages, count, 10),
  age_seconds: new Plot("Age of the oldest", stages.slice(0, 3), brief, 10, true),
  rates: new Plot("Messages a second", [
    { key: "accepted", label: "accepted" }, { key: "sent", label: "sent" }, { key: "delivered", label: "delivered" },
    { key: "mo", label: "from phones" }, { key: "failed", label: "failed" }, { key: "throttled", label: "throttled" },
  ], rate, 1),
  latency_seconds: new Plot("Time since acceptance", [
    { key: "sent_p50", label: "with the SMSC, half" }, { key: "sent_p99", label: "99 %" },
    { key: "delivered_p50", label: "delivered, half" }, { key: "delivered_p99", label: "99 %" },
  ], brief, 1, true),
};
$("plots").append(...Object.values(plots).map((plot) => plot.node));

// What is wrong.

let announced = "";

function showFindings(answer) {
  const all = answer.findings.length && answer.findings[0].severity !== "notice" ? answer.findings
    : [{ severity: "good", kind: "well", text: answer.summary }, ...answer.findings];
  keep($("findings"), all, (f) => `${f.kind} ${f.subject ?? ""}`, () => el("li", {}, el("p", { className: "what" }), el("p", { className: "advice" })), (node, f) => {
    node.className = f.severity;
    put(node.firstChild, f.text);
    say(node.lastChild, [f.since && `Since ${whenOf(f.since)}.`, f.advice].filter(Boolean).join(" "));
  });
  const wrong = answer.findings.filter((f) => f.severity !== "notice").length;
  document.title = wrong ? `(${wrong}) smsbridge operations` : "smsbridge operations";
  // The durations change all the time; a screen reader hears only what is new.
  const kinds = all.map((f) => `${f.kind} ${f.subject ?? ""} ${f.severity}`).join();
  if (kinds !== announced) put($("news"), answer.summary);
  announced = kinds;
}

function showStages(rows) {
  const labels = new Map(stages.map((s) => [s.key, s.label]));
  keep($("stages"), rows, (s) => s.stage, (s) => {
    const hold = holdButton("stages", () => s.stage, "stage", now);
    const node = el("li", {}, el("h3", { textContent: labels.get(s.stage) ?? s.stage }), el("b"), el("span", { className: "soft" }), el("meter", { min: 0 }), el("div", { className: "buttons" }, hold));
    node.hold = hold;
    if (s.stage === "mt") {
      node.purge = purgeButton(() => "all=true", () => "for phones", now);
      node.purge.setAttribute("aria-label", "Purge all that waits for phones");
      hold.after(node.purge);
    }
    return node;
  }, (node, s) => {
    const [, depth, oldest, fill] = node.children;
    put(depth, short(s.messages));
    let text = s.messages ? `oldest ${lasting(s.oldest_age_seconds)}` : "nothing waits";
    if (s.held) text += `; held${s.held_by ? ` by ${s.held_by}` : ""}`;
    put(oldest, text);
    node.classList.toggle("held", Boolean(s.held));
    fill.hidden = !s.max_bytes;
    fill.max = s.max_bytes || 1;
    fill.value = s.bytes;
    fill.title = s.max_bytes ? `${(100 * s.bytes / s.max_bytes).toFixed(1)} % of its limit is used` : "";
    fill.setAttribute("aria-label", fill.title);
    showHeld(node.hold, `stage ${s.stage}`, s.stage === "dead" ? {} : s);
    if (node.purge) node.purge.hidden = s.held === undefined || s.messages === 0;
  });
}

// Asking.

let lost = null; // since when the daemon does not answer

async function now() {
  const [findings, queue, links] = await Promise.all([get("findings"), get("queue").catch(unlessOffline), get("links").catch(unlessOffline)]);
  showFindings(findings);
  if (queue) showStages(queue.stages);
  if (links) {
    showLinks(links.links, now);
    showRoutes(links.routes, now);
  }
}

async function hour() {
  const [history, dead] = await Promise.all([get("history"), get("dead").catch(unlessOffline)]);
  for (const [name, plot] of Object.entries(plots)) plot.show(history.at, history[name]);
  if (dead) showDead(dead, hour);
}

// The findings say what is wrong with a part that cannot be read.
function unlessOffline(error) {
  if (error instanceof Offline) throw error;
  return null;
}

/** Asks again and again, also after an error, but not while nobody looks. */
async function follow(ask, every) {
  for (;;) {
    try {
      await ask();
      lost = null;
      say($("offline"), "");
      document.body.classList.remove("stale");
      put($("updated"), `as of ${clockOf(Date.now())}`);
      $("updated").title = exactOf(Date.now());
    } catch (error) {
      lost ??= Date.now();
      const text = error instanceof Offline ? `The daemon does not answer since ${clockOf(lost)}. What is shown below is from then. Trying again…` : error.message;
      if ($("offline").textContent !== text) say($("offline"), text);
      document.body.classList.add("stale");
    }
    await new Promise((resolve) => setTimeout(resolve, every));
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

follow(now, often);
follow(hour, seldom);
