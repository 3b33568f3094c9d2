// The demo's own part is small: who is signed in, and the phones to try.

const messenger = document.getElementById("messenger");
const phone = document.getElementById("phone");

for (const button of document.querySelectorAll("button[data-phone]")) {
  button.addEventListener("click", () => {
    messenger.contentWindow.location.hash = button.dataset.phone;
    phone.contentWindow.location.hash = button.dataset.phone;
  });
}

// The phone's page has the list of the magic numbers.
document.getElementById("magic").addEventListener("click", () => {
  phone.scrollIntoView({ block: "nearest" });
  phone.contentDocument.getElementById("help")?.click();
});

try {
  const response = await fetch("/api/v1/session");
  if (response.ok) document.getElementById("who").textContent = ` (${(await response.json()).user})`;
} catch {
  // The messenger says what is wrong.
}
