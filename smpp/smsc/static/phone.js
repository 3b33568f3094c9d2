// One phone, which the fragment of the address names: #+33612345678.
const phone = decodeURIComponent(location.hash.slice(1)) || "+33612345678";
const path = `phones/${encodeURIComponent(phone)}/messages`;
const list = document.getElementById("messages");
const form = document.getElementById("answer");

document.getElementById("phone").textContent = phone;
window.addEventListener("hashchange", () => location.reload());

function show(message) {
  const line = document.createElement("li");
  line.textContent = `${message.from} → ${message.to}: ${message.text} (${message.encoding}, ${message.segments} SMS)`;
  list.append(line);
  if (message.direction === "received") form.elements.to.value = message.from;
}

async function refresh() {
  const answer = await fetch(path);
  if (!answer.ok) return;
  list.replaceChildren();
  for (const message of await answer.json()) show(message);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  document.getElementById("error").textContent = answer.ok ? "" : (await answer.json()).detail;
  if (answer.ok) form.elements.text.value = "";
});

const events = new EventSource("events");
events.addEventListener("open", refresh);
events.addEventListener("message", refresh);
