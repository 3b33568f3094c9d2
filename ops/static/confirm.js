// Every action is confirmed, with the operator's name for the record.

import { $, put, say } from "./dom.js";

const dialog = $("confirm");
const nameKey = "operator";
const shownFor = 15_000; // what was done
let asked, from, hide;

/**
 * Asks, and acts when the operator says yes. What act gives is shown as what was done. Where the text
 * must be asked for, look gives it, and yes or nothing where there is nothing to do.
 * @param {{title: string, text?: string, look?: () => Promise<{text: string, yes?: string}>, yes: string, danger?: boolean,
 *   act: (name: string) => Promise<string|undefined>}} what
 */
export function confirm(what) {
  asked = what;
  from = document.activeElement;
  say($("confirm-title"), what.title);
  say($("confirm-text"), what.look ? "Counting…" : what.text);
  say($("confirm-yes"), what.yes);
  say($("confirm-error"), "");
  say($("done"), "");
  $("confirm-yes").disabled = Boolean(what.look);
  $("confirm-yes").className = what.danger ? "danger" : "primary";
  $("confirm-name").value = localStorage.getItem(nameKey) ?? "";
  dialog.showModal();
  ($("confirm-name").value ? $("confirm-no") : $("confirm-name")).focus();
  if (what.look) look(what);
}

async function look(what) {
  let seen = { text: "" };
  try {
    seen = await what.look();
  } catch (error) {
    if (asked === what) say($("confirm-error"), error.message);
  }
  if (asked !== what) return; // something else is asked by now
  say($("confirm-text"), seen.text);
  if (seen.yes) put($("confirm-yes"), seen.yes);
  $("confirm-yes").disabled = !seen.yes;
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const what = asked;
  const name = $("confirm-name").value.trim();
  localStorage.setItem(nameKey, name);
  say($("confirm-error"), "");
  $("confirm-yes").disabled = true;
  try {
    const done = await what.act(name);
    if (asked === what) dialog.close();
    say($("done"), done);
    clearTimeout(hide);
    hide = setTimeout(() => say($("done"), ""), shownFor);
  } catch (error) {
    if (asked === what) say($("confirm-error"), error.message);
  } finally {
    if (asked === what) $("confirm-yes").disabled = false;
  }
});

$("confirm-no").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  if (dialog.open) return; // the event comes after the fact, and something else is asked by now
  asked = null;
  if (from?.isConnected) from.focus();
});
