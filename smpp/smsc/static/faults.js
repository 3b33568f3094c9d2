// The faults that the simulated network plays, each with a switch.

import { $, el, read, say } from "./page.js";

const rows = new Map(); // by name
let watching; // while the dialog is open
let lost = false; // the simulator did not answer

function describe(f) {
  if (!f.on && !f.struck) return f.name;
  const struck = f.count ? `${f.struck} of ${f.count}` : f.struck;
  return `${f.name} · struck ${struck} ${f.struck === 1 && !f.count ? f.counts.replace(/s$/, "") : f.counts}`;
}

/** Shows what is on now; some end by themselves, and others switch them as well. */
async function refresh() {
  const faults = await read("faults");
  const on = faults.filter((f) => f.on).length;
  $("faults-open").textContent = on ? `Faults (${on})` : "Faults";
  $("faults-off").disabled = on === 0;
  for (const f of faults) {
    if (!rows.has(f.name)) add(f);
    const { box, facts } = rows.get(f.name);
    box.checked = f.on;
    if (facts.textContent !== describe(f)) facts.textContent = describe(f);
  }
}

function add(f) {
  const box = el("input", { type: "checkbox", name: f.name });
  box.setAttribute("role", "switch");
  const facts = el("small");
  box.addEventListener("change", () => change(`faults/${f.name}`, box.checked ? "PUT" : "DELETE"));
  rows.set(f.name, { box, facts });
  $("fault-list").append(el("li", {}, el("label", {}, box, el("span", {}, f.text, facts))));
}

async function change(path, method) {
  say($("faults-error"), "");
  try {
    await read(path, { method });
  } catch (error) {
    say($("faults-error"), error.message);
    $("faults-error").scrollIntoView({ block: "nearest" });
  }
  await look();
}

async function look() {
  try {
    await refresh();
    if (lost) say($("faults-error"), "");
    lost = false;
  } catch (error) {
    say($("faults-error"), error.message);
    lost = true;
  }
}

$("faults-open").addEventListener("click", async () => {
  say($("faults-error"), "");
  await look();
  $("faults").showModal();
  watching = setInterval(look, 1000);
});
$("faults").addEventListener("close", () => clearInterval(watching));
$("faults-off").addEventListener("click", () => change("faults", "DELETE"));
look();
