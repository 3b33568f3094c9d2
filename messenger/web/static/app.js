// The page: who is signed in, what is open, and what happens when something arrives.

import { $, say, wordFor } from "./dom.js";
import { api, Offline } from "./api.js";
import { Book } from "./book.js";
import { Chat } from "./chat.js";
import { Keep } from "./keep.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";

let user = ""; // who is signed in, if somebody is
let keep, book, outbox;
let trouble = ""; // why texts wait, if it is not the network
let online = true;
const fetched = new Map(); // phones whose texts are being read

const list = new List((phone) => go(phone));
const chat = new Chat({
  send: (text) => outbox.add(chat.phone, text),
  draft: (text) => (text ? keep.set(`draft/${chat.phone}`, text) : keep.drop(`draft/${chat.phone}`)),
  back: () => go(""),
  seen: () => render(),
  earlier: () => load(chat.phone, 500).catch(showError),
  retry: (key) => outbox.retry(key),
  edit: (key) => chat.restore(outbox.remove(key).text),
  remove: (key) => outbox.remove(key),
});
const live = new Live({
  ready: () => refresh().catch(showError),
  message: arrived,
  status: changed,
  lost: () => setOnline(false),
});

// Signing in and out.

async function start() {
  try {
    await begin((await api.session()).user);
  } catch (error) {
    if (error.status === 401) return askSignIn();
    say($("banner"), `${error.message} Trying again…`);
    setTimeout(start, 3000);
  }
}

async function begin(name) {
  if (name !== user) {
    outbox?.close();
    user = name;
    keep = new Keep(user);
    book = new Book(keep);
    outbox = new Outbox(keep, {
      changed: () => render(),
      accepted: (item, answer) => {
        trouble = "";
        // The event may have been faster, and knows more.
        if (!book.note(answer)) {
          book.add({ id: answer.id, direction: "mt", phone: answer.phone, text: item.text, at: item.at, status: answer.status, idempotency_key: item.key });
        }
      },
      signedOut: askSignIn,
      trouble: (text) => {
        trouble = text;
        showBanner();
      },
    });
    list.clear();
  }
  $("who").textContent = user;
  $("sign-in").hidden = true;
  $("app").hidden = false;
  showBanner();
  live.open();
  outbox.wake();
  route();
}

function askSignIn() {
  live.close();
  $("banner").hidden = true;
  $("app").hidden = true;
  $("sign-in").hidden = false;
  $("sign-in").querySelector("input[name=user]").focus();
}

$("sign-in").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const error = form.querySelector(".error");
  const button = form.querySelector("button");
  say(error, "");
  button.disabled = true;
  try {
    const session = await api.signIn(form.elements.user.value.trim(), form.elements.password.value);
    form.elements.password.value = "";
    await begin(session.user);
  } catch (e) {
    say(error, e.message);
    form.elements.password.select();
  } finally {
    button.disabled = false;
  }
});

$("sign-out").addEventListener("click", async () => {
  const unsent = outbox.size;
  if (unsent && !confirm(`${unsent === 1 ? "One message is" : `${unsent} messages are`} not sent yet and will be thrown away. Sign out?`)) return;
  try {
    await api.signOut();
  } catch (error) {
    return showError(error);
  }
  // A shared computer keeps nothing.
  outbox.close();
  keep.clear();
  user = "";
  history.replaceState(null, "", location.pathname);
  chat.close();
  list.clear();
  askSignIn();
});

// Reading.

/** Reads anew what may have changed while the stream was away. */
async function refresh() {
  setOnline(true);
  outbox.wake();
  fetched.clear(); // a read that began before the stream may miss what came in between
  book.outdate();
  const before = book.sizes();
  const listed = await api.conversations();
  book.forget(listed.map((c) => c.phone), before); // they are somebody else's now
  for (const c of listed) book.add(c.last);
  if (chat.phone) await load(chat.phone);
  render();
  // The list knows only the last text; how many are unread needs the others.
  for (const c of book.all().slice(0, 20)) {
    if (!c.loaded && book.unread(c)) await load(c.phone);
  }
}

/** Reads a conversation, once at a time. Returns the phone in its canonical form. */
function load(phone, limit = Math.max(100, book.with(phone).loaded)) {
  const name = `${phone} ${limit}`;
  if (!fetched.has(name)) {
    fetched.set(name, api.messages(phone, limit).then((answer) => {
      book.merge(answer.phone, answer.messages, limit);
      render();
      return answer.phone;
    }).finally(() => fetched.delete(name)));
  }
  return fetched.get(name);
}

function arrived(m) {
  const isNew = book.add(m);
  if (m.idempotency_key) outbox.remove(m.idempotency_key);
  if (isNew && m.direction === "mo" && m.phone !== chat.phone) say($("news"), `New message from ${m.phone}`);
  render();
}

function changed(status) {
  const m = book.note(status);
  if (m && ["failed", "expired", "unknown"].includes(m.status)) say($("news"), `Message to ${m.phone}: ${wordFor(m.status)}. ${m.detail ?? ""}`);
  render();
}

let rendering = false;

/** Shows what has changed, once for all that changed just now. */
function render() {
  if (rendering) return;
  rendering = true;
  queueMicrotask(() => {
    rendering = false;
    if (user) paint();
  });
}

function paint() {
  if (chat.phone) {
    const open = book.with(chat.phone);
    if (chat.watched) book.read(open);
    chat.show(open, outbox.of(chat.phone));
  }
  const shown = new Set(book.all().map((c) => c.phone));
  const others = outbox.phones.filter((phone) => !shown.has(phone)).map((phone) => book.with(phone));
  const items = [...others, ...book.all()].map((c) => ({
    c, unread: book.unread(c), draft: keep.get(`draft/${c.phone}`), waiting: outbox.of(c.phone).at(-1),
  }));
  list.show(items, chat.phone);
  const unread = items.reduce((sum, item) => sum + item.unread, 0);
  document.title = unread ? `(${unread}) smsbridge` : "smsbridge";
  showBanner();
}

// What is open is in the address, so that the browser's back button works.

function go(phone) {
  if (phone) location.hash = phone;
  else if (location.hash) history.pushState(null, "", location.pathname);
  if (!phone) route();
}

function route() {
  if (!user) return;
  const phone = decodeURIComponent(location.hash.slice(1));
  // A phone, or a short number with its country.
  const is = /^(\+[0-9]+|[0-9]+;phone-context=\+[0-9]+)$/.test(phone);
  $("app").classList.toggle("open", is);
  if (!is) {
    chat.close();
    return render();
  }
  if (phone !== chat.phone) {
    chat.open(phone, keep.get(`draft/${phone}`) ?? "");
    if (!book.with(phone).loaded) load(phone).catch(showError);
    chat.text.focus({ preventScroll: true });
  }
  render();
}

addEventListener("hashchange", route);
addEventListener("popstate", route);

$("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = $("new-phone");
  say($("new-error"), "");
  input.removeAttribute("aria-invalid");
  if (!input.value.trim()) return input.focus();
  try {
    // The server knows how numbers are written at home.
    const answer = await api.messages(input.value.trim());
    book.merge(answer.phone, answer.messages, 100);
    input.value = "";
    go(answer.phone);
  } catch (error) {
    if (error.status === 401) return askSignIn();
    const kind = error.reason === "bad_number";
    say($("new-error"), kind ? "That is not a phone number. Write it like +33612345678." : error.message);
    if (kind) input.setAttribute("aria-invalid", "true");
    input.select();
  }
});

$("new-phone").addEventListener("input", () => {
  say($("new-error"), "");
  $("new-phone").removeAttribute("aria-invalid");
});

// Trouble.

function setOnline(value) {
  online = value;
  if (!value) {
    // The stream does not say why it was refused.
    api.session().catch((error) => error.status === 401 && askSignIn());
  }
  showBanner();
}

function showBanner() {
  const waiting = outbox?.size ? " What you write is kept and sent as soon as possible." : "";
  let text = "";
  if (!online) text = `The server cannot be reached. Connecting again…${waiting}`;
  else if (trouble && outbox?.size) text = trouble + waiting;
  if ($("banner").textContent !== text) say($("banner"), text);
}

function showError(error) {
  if (error.status === 401) return askSignIn();
  if (error instanceof Offline) return setOnline(false);
  trouble = error.message;
  say($("banner"), error.message);
}

addEventListener("beforeunload", (event) => {
  if (outbox?.size && !outbox.safe) event.preventDefault();
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && render());
addEventListener("keydown", (event) => event.key === "Escape" && chat.phone && go(""));

start();
