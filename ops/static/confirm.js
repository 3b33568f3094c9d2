// Every action is confirmed, with the operator's name for the record.

import { $, say } from "./dom.js";

const dialog = $("confirm");
const nameKey = "operator";
let act, from;

/**
 * Asks, and acts when the operator says yes.
 * @param {{title: string, text: string, yes: string, act: (name: string) => Promise<void>}} what
 */
export function confirm(what) {
  act = what.act;
  from = document.activeElement;
  say($("confirm-title"), what.title);
  say($("confirm-text"), what.text);
  say($("confirm-yes"), what.yes);
  say($("confirm-error"), "");
  $("confirm-name").value = localStorage.getItem(nameKey) ?? "";
  dialog.showModal();
  ($("confirm-name").value ? $("confirm-no") : $("confirm-name")).focus();
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("confirm-name").value.trim();
  localStorage.setItem(nameKey, name);
  $("confirm-yes").disabled = true;
  try {
    await act(name);
    dialog.close();
  } catch (error) {
    say($("confirm-error"), error.message);
  } finally {
    $("confirm-yes").disabled = false;
  }
});

$("confirm-no").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => from?.isConnected && from.focus());
