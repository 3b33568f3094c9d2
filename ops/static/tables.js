// The tables: links, routes and dead letters, with what an operator can do to them.

import { cell, el, exactOf, keep, lasting, put, short, whenOf, $ } from "./dom.js";
import { post, remove } from "./api.js";
import { confirm } from "./confirm.js";
import { storyButton } from "./search.js";

/** A button that asks before it acts. */
function action(label, ask) {
  const button = el("button", { type: "button", textContent: label });
  button.addEventListener("click", () => confirm(ask()));
  return button;
}

const named = (kind, name, verb) => `${kind}/${encodeURIComponent(name)}/${verb}`;

/** Pauses what runs and resumes what an operator has paused. */
export function holdButton(kind, nameOf, what, changed) {
  const button = action("Pause", () => {
    const verb = button.dataset.held === "true" ? "resume" : "pause";
    return {
      title: `${verb === "pause" ? "Pause" : "Resume"} ${what} ${nameOf()}?`,
      text: verb === "pause" ? "Nothing is lost: its messages wait, or leave another way where there is one, until it is resumed. A restart does not resume it." : "Its messages go on at once.",
      yes: verb === "pause" ? "Pause" : "Resume",
      act: async (name) => {
        await post(named(kind, nameOf(), verb), name);
        await changed();
      },
    };
  });
  return button;
}

/** Shows whether something is paused, on its button and in words. */
export function showHeld(button, what, item) {
  button.hidden = item.held === undefined;
  button.dataset.held = String(Boolean(item.held));
  put(button, item.held ? "Resume" : "Pause");
  button.setAttribute("aria-label", `${item.held ? "Resume" : "Pause"} ${what}`);
}

const states = { bound: "good", paused: "warning", connecting: "warning", down: "bad", quarantined: "bad" };
const stateWords = { paused: "throttled" };

export function showLinks(links, changed) {
  keep($("links"), links, (l) => l.name, (l) => {
    const hold = holdButton("links", () => l.name, "link", changed);
    const rebind = action("Rebind", () => ({
      title: `Bind link ${l.name} anew?`, yes: "Rebind",
      text: "It unbinds once what is under way has been answered, and binds again at once. A quarantine ends.",
      act: async (name) => {
        await post(named("links", l.name, "rebind"), name);
        await changed();
      },
    }));
    rebind.setAttribute("aria-label", `Rebind link ${l.name}`);
    const row = el("tr", {}, cell("Link", el("b"), el("span", { className: "soft" })), cell("State", el("span", { className: "pill" }), el("span", { className: "soft" })),
      cell("Window", el("meter", { min: 0 }), el("span")), cell("Messages"), cell("Last error"), cell("", el("div", { className: "buttons" }, hold, rebind)));
    row.parts = { hold, rebind };
    return row;
  }, (row, l) => {
    const [name, state, window, counts, error] = row.children;
    put(name.firstChild, l.name);
    put(name.lastChild, l.account === l.name ? "" : ` ${l.account}`);
    put(state.firstChild, l.held ? "held" : stateWords[l.status] ?? l.status);
    state.firstChild.className = `pill ${l.held ? "held" : states[l.status] ?? ""}`;
    put(state.lastChild, ` ${l.held_by ? `by ${l.held_by} ` : ""}since ${whenOf(l.held_since ?? l.since)}`);
    window.firstChild.max = l.window;
    window.firstChild.value = l.in_use;
    put(window.lastChild, ` ${l.in_use} of ${l.window}`);
    const n = l.submits ?? {};
    const told = [`${short(n.sent ?? 0)} sent`];
    if (n.throttled) told.push(`${short(n.throttled)} throttled`);
    if (n.temporary) told.push(`${short(n.temporary)} refused for now`);
    if (n.permanent) told.push(`${short(n.permanent)} rejected`);
    if (n.unknown) told.push(`${short(n.unknown)} unanswered`);
    put(counts, told.join(", "));
    const up = l.status === "bound" || l.status === "paused";
    put(error, l.last_error ? (up ? `earlier: ${l.last_error}` : l.last_error) : "–");
    error.classList.toggle("soft", up);
    showHeld(row.parts.hold, `link ${l.name}`, l);
    row.parts.rebind.hidden = l.held === undefined;
  });
}

export function showRoutes(routes, changed) {
  keep($("routes"), routes, (r) => r.name, (r) => {
    const hold = holdButton("routes", () => r.name, "route", changed);
    const row = el("tr", {}, cell("Route", el("b"), el("span", { className: "pill held" })), cell("Links"), cell("Waiting"), cell("Oldest"), cell("", el("div", { className: "buttons" }, hold)));
    row.parts = { hold };
    return row;
  }, (row, r) => {
    const [name, links, waiting, oldest] = row.children;
    put(name.firstChild, r.name);
    put(name.lastChild, r.held ? "held" : "");
    name.lastChild.hidden = !r.held;
    put(links, (r.links ?? []).join(", "));
    put(waiting, short(r.waiting));
    put(oldest, r.oldest_at ? lasting((Date.now() - new Date(r.oldest_at)) / 1000) : "–");
    showHeld(row.parts.hold, `route ${r.name}`, r);
  });
}

export function showDead({ letters, total }, changed) {
  $("dead-none").hidden = letters.length > 0;
  $("dead-table").hidden = letters.length === 0;
  $("dead-more").hidden = total <= letters.length;
  put($("dead-more"), `and ${total - letters.length} more, which are older`);
  keep($("dead"), letters, (d) => d.id, (d) => {
    const requeue = action("Send again", () => ({
      title: "Send this message again?", yes: "Send again",
      text: `It becomes a new message, and who wrote it is told. It was given up as ${d.reason}: ${d.detail}`,
      act: async (name) => {
        await post(`dead/${encodeURIComponent(d.id)}/requeue`, name);
        await changed();
      },
    }));
    const drop = action("Drop", () => ({
      title: "Drop this message for good?", yes: "Drop", text: `It cannot be had back. It was given up as ${d.reason}: ${d.detail}`,
      act: async (name) => {
        await remove(`dead/${encodeURIComponent(d.id)}`, name);
        await changed();
      },
    }));
    return el("tr", {}, cell("Since", el("time", { textContent: whenOf(d.at), title: exactOf(d.at) })), cell("Reason", el("b", { textContent: d.reason }), el("span", { className: "soft", textContent: ` ${d.detail}` })),
      cell("From or to", el("span", { textContent: [d.handle, d.phone].filter(Boolean).join(" · ") || "–" })), cell("Stage", el("span", { textContent: d.stage })),
      cell("", el("div", { className: "buttons" }, storyButton(d.id), requeue, drop)));
  }, () => {});
}
