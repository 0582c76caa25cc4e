// The page of the chat example: plain modules and the official client, nothing to build.

const ACK_TIMEOUT_MS = 5000;
const TYPING_PAUSE_MS = 1500;
/** A notice of typing that nobody took back is old after this. */
const TYPING_LASTS_MS = 6000;

const $ = (id) => document.getElementById(id);

/** The official client where the server has it, which is when the tests are installed; else the small one beside us. */
async function loadClient() {
  const official = await fetch("/socket.io/socket.io.esm.min.js", { method: "HEAD" }).catch(() => ({ ok: false }));
  return import(official.ok ? "/socket.io/socket.io.esm.min.js" : "/small-client.js");
}

/** The token, how long it holds, and how it is renewed. */
const session = {
  name: null,
  token: null,
  expiresAt: 0,
  lifeMs: 1,
  renewals: 0,

  accept({ name, token, expires_in }) {
    Object.assign(this, { name, token, lifeMs: expires_in * 1000, expiresAt: Date.now() + expires_in * 1000 });
    showTokenLife();
  },

  async request(path, options) {
    const response = await fetch(path, { method: "POST", ...options });
    const body = await response.json();
    if (!response.ok) throw new Error(body.error);
    this.accept(body);
  },

  login(name) {
    return this.request("/login", { headers: { "content-type": "application/json" }, body: JSON.stringify({ name }) });
  },

  async renew() {
    await this.request("/renew", { headers: { authorization: `Bearer ${this.token}` } });
    this.renewals += 1;
    $("renewals").textContent = this.renewals;
  },
};

let socket = null;
/** The name of the room that is shown. */
let room = null;
/** The rooms we are in: name to its messages and how many of them were never shown. */
const rooms = new Map();
/** Who is typing in the room that is shown, and the timer that forgets them. */
const typists = new Map();

function connect(io) {
  socket = io({
    // Asked again at every reconnection, so a token that has run out is replaced first.
    auth: async (send) => {
      if (Date.now() > session.expiresAt - 1000) {
        await session.login(session.name).catch(() => {});
      }
      send({ token: session.token });
    },
  });

  socket.on("connect", async () => {
    socket.io.engine.on("upgrade", showTransport);
    // A new connection is in no room yet, and nothing can be said before it is.
    for (const name of [...rooms.keys()].filter((name) => name !== room)) await enter(name, { isShown: false });
    await enter(room ?? "lobby");
    if (!socket?.connected) return;
    setState("connected");
    showTransport();
  });
  socket.on("disconnect", (reason) => {
    setState("disconnected", `Connection lost (${reason}). Trying again…`);
    if (reason === "io server disconnect") logout("The server ended the session.");
  });
  socket.on("connect_error", (error) => {
    setState("disconnected", `Not connected: ${error.message}. Trying again…`);
    if (error.data?.type === "UnauthorizedError") logout(error.message);
  });

  socket.on("online", showOnline);
  socket.on("rooms", showRooms);
  socket.on("said", hear);
  socket.on("typing", ({ room: where, name, is_typing }) => where === room && showTyping(name, is_typing));

  // The server tells in time that the token is about to run out; the same event that logs in renews.
  socket.on("token_expiring", renew);
  socket.on("unauthorized", ({ message }) => note(`unauthorized: ${message}`));
}

async function renew() {
  try {
    await session.renew();
    await socket.timeout(ACK_TIMEOUT_MS).emitWithAck("authenticate", { token: session.token });
  } catch (error) {
    note(`the token was not renewed: ${error.message}`);
  }
}

/** Goes into a room, or only hears what is said there. */
async function enter(name, { isShown = true } = {}) {
  let entered;
  try {
    entered = await socket.timeout(ACK_TIMEOUT_MS).emitWithAck("enter", name);
  } catch (error) {
    return note(`# ${name} did not open: ${error.message}`);
  }
  if (entered.error) return note(entered.error);
  const known = rooms.get(name) ?? { unread: 0 };
  const lastAt = known.messages?.at(-1)?.at ?? Infinity;
  const missed = entered.history.filter(({ at }) => at > lastAt).length;
  rooms.set(name, { messages: entered.history, unread: known.unread + missed });
  if (isShown) show(name);
  else markRooms();
}

function show(name) {
  room = name;
  rooms.get(name).unread = 0;
  for (const who of [...typists.keys()]) showTyping(who, false);
  $("room").textContent = name;
  $("messages").replaceChildren();
  rooms.get(name).messages.forEach(showMessage);
  markRooms();
}

function hear(message) {
  const { messages } = rooms.get(message.room) ?? {};
  messages?.push(message);
  if (message.room === room) showMessage(message);
  if (messages && (message.room !== room || document.hidden)) rooms.get(message.room).unread += 1;
  markRooms();
}

async function say(text) {
  const item = showMessage({ from: session.name, text, at: Date.now(), ack: "pending" });
  const { messages } = rooms.get(room);
  try {
    const receipt = await socket.timeout(ACK_TIMEOUT_MS).emitWithAck("say", { room, text });
    markAck(item, receipt.error ? "failed" : "received");
    if (receipt.error) note(receipt.error);
    else messages.push(receipt);
  } catch {
    markAck(item, "failed");
  }
}

function setState(state, lost = "") {
  $("chat").dataset.state = state;
  $("state").dataset.state = state;
  $("state").textContent = state;
  $("lost").hidden = !lost;
  $("lost").textContent = lost;
  // What is written meanwhile stays in the field, so that nobody believes it sent.
  $("say-form").querySelector("button").disabled = state !== "connected";
  if (state !== "connected") $("transport").textContent = "–";
}

function showTransport() {
  const name = socket.io.engine.transport.name;
  $("transport").dataset.transport = name;
  $("transport").textContent = name;
}

function showMessage({ from, text, at, ack }) {
  const item = document.createElement("li");
  const isOwn = from === session.name;
  item.classList.toggle("own", isOwn);
  const author = document.createElement("span");
  author.className = "from";
  author.textContent = from;
  const time = document.createElement("time");
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  time.title = new Date(at).toLocaleString();
  author.append(time);
  item.append(author, text);
  if (isOwn) {
    const mark = document.createElement("span");
    mark.className = "ack";
    item.append(mark);
    markAck(item, ack ?? "received");
  }
  append(item);
  return item;
}

function markAck(item, ack) {
  item.dataset.ack = ack;
  const mark = { pending: ["…", "on its way"], received: ["✓", "the server has it"], failed: ["✗", "not delivered"] }[ack];
  [item.querySelector(".ack").textContent, item.querySelector(".ack").title] = mark;
}

function note(text) {
  const item = document.createElement("li");
  item.className = "note";
  item.textContent = text;
  append(item);
}

function append(item) {
  $("messages").append(item);
  item.scrollIntoView({ block: "end" });
}

function showTyping(name, isTyping) {
  clearTimeout(typists.get(name));
  typists.delete(name);
  if (isTyping) typists.set(name, setTimeout(() => showTyping(name, false), TYPING_LASTS_MS));
  const names = [...typists.keys()];
  $("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}

function showOnline(names) {
  $("online-count").textContent = names.length;
  $("online").replaceChildren(...names.map((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  }));
}

function showRooms(lines) {
  $("rooms").replaceChildren(...lines.map(({ name, count }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const label = document.createElement("span");
    label.textContent = `# ${name}`;
    const unread = document.createElement("span");
    unread.className = "unread";
    const people = document.createElement("span");
    people.className = "muted";
    people.textContent = count;
    people.title = `${count} in the room`;
    button.append(label, unread, people);
    button.dataset.room = name;
    button.type = "button";
    button.addEventListener("click", () => {
      closeDrawers();
      if (rooms.has(name)) show(name);
      else enter(name);
    });
    item.append(button);
    return item;
  }));
  markRooms();
}

/** Which room is shown, and where something was said that was not. */
function markRooms() {
  for (const button of $("rooms").querySelectorAll("button")) {
    const { name, unread } = { name: button.dataset.room, unread: rooms.get(button.dataset.room)?.unread ?? 0 };
    button.setAttribute("aria-current", name === room);
    showUnread(button.querySelector(".unread"), unread);
  }
  const total = [...rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  showUnread($("unread-total"), total);
  document.title = total ? `(${total}) Chat` : "Chat";
}

function showUnread(mark, unread) {
  mark.hidden = unread === 0;
  mark.textContent = unread;
  mark.title = `${unread} unread`;
}

function showTokenLife() {
  const leftMs = Math.max(0, session.expiresAt - Date.now());
  $("token-life").value = leftMs / session.lifeMs;
  $("token-seconds").textContent = `${Math.ceil(leftMs / 1000)} s`;
}

function logout(reason) {
  socket?.disconnect();
  socket = null;
  room = null;
  rooms.clear();
  markRooms();
  $("chat").hidden = true;
  $("login").hidden = false;
  $("login-error").textContent = reason ?? "";
}

/** On a phone the lists of rooms and people are drawers over the messages. */
const DRAWERS = { "show-rooms": "rooms-pane", "show-people": "people-pane" };

function closeDrawers(but) {
  for (const [button, pane] of Object.entries(DRAWERS)) {
    const isOpen = button === but && !$(pane).classList.contains("open");
    $(pane).classList.toggle("open", isOpen);
    $(button).setAttribute("aria-expanded", isOpen);
  }
}

for (const button of Object.keys(DRAWERS)) $(button).addEventListener("click", () => closeDrawers(button));

let io;
try {
  ({ io } = await loadClient());
} catch (error) {
  $("login-error").textContent = `The page did not load: ${error.message}`;
  throw error;
}
$("login-form").querySelector("button").disabled = false;

// Before the login only the public namespace is reachable: it tells how many are in.
io("/status").on("count", (count) => { $("public-count").textContent = count; });

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await session.login($("name").value);
  } catch (error) {
    const isAway = error instanceof TypeError;
    $("login-error").textContent = isAway ? "The server cannot be reached." : error.message;
    return;
  }
  $("login-error").textContent = "";
  $("me").textContent = session.name;
  $("login").hidden = true;
  $("chat").hidden = false;
  connect(io);
  $("text").focus();
});

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("room-name").value.trim();
  $("room-name").value = "";
  closeDrawers();
  if (name) enter(name);
});

$("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !socket?.connected) return;
  $("text").value = "";
  stopTyping();
  say(text);
});

let typingPause = null;
function stopTyping() {
  if (typingPause === null) return;
  clearTimeout(typingPause);
  typingPause = null;
  socket?.volatile.emit("typing", room, false);
}
$("text").addEventListener("input", () => {
  if (typingPause === null) socket?.volatile.emit("typing", room, true);
  else clearTimeout(typingPause);
  typingPause = setTimeout(stopTyping, TYPING_PAUSE_MS);
});

$("renew").addEventListener("click", renew);
$("logout").addEventListener("click", () => logout());
setInterval(showTokenLife, 250);
addEventListener("offline", () => socket && setState("disconnected", "This device is offline."));
addEventListener("online", () => socket?.connected && setState("connected"));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && rooms.has(room)) rooms.get(room).unread = 0;
  markRooms();
});
