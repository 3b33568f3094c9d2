// The tables: links, routes and dead letters, with what an operator can do to them.

import { cell, el, exactOf, keep, lasting, put, short, whenOf, $ } from "./dom.js";
import { post, postLong, remove } from "./api.js";
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
        const { changed: so } = await post(named(kind, nameOf(), verb), name);
        await changed();
        return `${what} ${nameOf()} is ${verb}d${so ? "" : ", as it was before"}.`.replace(/^./, (c) => c.toUpperCase());
      },
    };
  });
  return button;
}

const messages = (n) => `${n} message${n === 1 ? "" : "s"}`;

/** Gives up the messages to phones that wait and that the query selects; it says first how many they are. */
export function purgeButton(queryOf, whatOf, changed) {
  const button = action("Purge", () => {
    const path = `queue/purge?${queryOf()}`;
    return {
      title: `Purge what waits ${whatOf()}?`, yes: "Purge", danger: true,
      look: async () => {
        const { purged: n } = await postLong(`${path}&dry_run=true`);
        if (n === 0) return { text: `No message waits ${whatOf()}.` };
        return {
          text: `${messages(n)} that no SMSC has would be given up. ${n === 1 ? "Its sender is told that it" : "Their senders are told that they"} failed, and that cannot be undone.`,
          yes: `Purge ${messages(n)}`,
        };
      },
      act: async (name) => {
        const { purged, left } = await postLong(path, name);
        await changed();
        return `${messages(purged)} given up${left ? `, and ${left} left that an SMSC has or may have` : ""}.`;
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
        const { note } = await post(named("links", l.name, "rebind"), name);
        await changed();
        return `Link ${l.name} binds anew${note ? `; ${note}` : ""}.`;
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
    const purge = purgeButton(() => `route=${encodeURIComponent(r.name)}`, () => `for route ${r.name}`, changed);
    purge.setAttribute("aria-label", `Purge what waits for route ${r.name}`);
    const row = el("tr", {}, cell("Route", el("b"), el("span", { className: "pill held" })), cell("Links"), cell("Waiting"), cell("Oldest"), cell("", el("div", { className: "buttons" }, hold, purge)));
    row.parts = { hold, purge };
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
    row.parts.purge.hidden = r.held === undefined || r.waiting === 0;
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
        return "It is in its queue again, as a new message.";
      },
    }));
    const drop = action("Drop", () => ({
      title: "Drop this message for good?", yes: "Drop", danger: true, text: `It cannot be had back. It was given up as ${d.reason}: ${d.detail}`,
      act: async (name) => {
        await remove(`dead/${encodeURIComponent(d.id)}`, name);
        await changed();
        return "The dead letter is dropped.";
      },
    }));
    return el("tr", {}, cell("Since", el("time", { textContent: whenOf(d.at), title: exactOf(d.at) })), cell("Reason", el("b", { textContent: d.reason }), el("span", { className: "soft", textContent: ` ${d.detail}` })),
      cell("From or to", el("span", { textContent: [d.handle, d.phone].filter(Boolean).join(" · ") || "–" })), cell("Stage", el("span", { textContent: d.stage })),
      cell("", el("div", { className: "buttons" }, storyButton(d.id), requeue, drop)));
  }, () => {});
}
