// The page of the chat example: plain modules and the official client, nothing to build.

const CDN = "https://cdn.socket.io/4.8.1/socket.io.min.js";
const ACK_TIMEOUT_MS = 5000;
const TYPING_PAUSE_MS = 1500;

const $ = (id) => document.getElementById(id);

/** The server offers the client's bundle when it is installed beside the example; else it comes from the CDN. */
async function loadClient() {
  const load = (src) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.onload = () => resolve(window.io);
    script.onerror = () => reject(new Error(`${src} could not be loaded`));
    document.head.append(script);
  });
  return load("/socket.io/socket.io.js").catch(() => load(CDN));
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
let room = null;
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

  socket.on("connect", () => {
    setState("connected");
    showTransport();
    socket.io.engine.on("upgrade", showTransport);
    enter(room ?? "lobby");
  });
  socket.on("disconnect", (reason) => {
    setState("disconnected");
    note(`disconnected: ${reason}`);
  });
  socket.on("connect_error", (error) => {
    setState("disconnected");
    note(`not connected: ${error.message}`);
    if (error.data?.type === "UnauthorizedError") logout(error.message);
  });

  socket.on("online", showOnline);
  socket.on("rooms", showRooms);
  socket.on("said", (message) => message.room === room && showMessage(message));
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

async function enter(name) {
  const entered = await socket.timeout(ACK_TIMEOUT_MS).emitWithAck("enter", name);
  if (entered.error) return note(entered.error);
  room = name;
  typists.clear();
  showTyping();
  $("room").textContent = name;
  $("messages").replaceChildren();
  entered.history.forEach(showMessage);
  markCurrentRoom();
}

async function say(text) {
  const item = showMessage({ from: session.name, text, ack: "pending" });
  try {
    const receipt = await socket.timeout(ACK_TIMEOUT_MS).emitWithAck("say", { room, text });
    markAck(item, receipt.error ? "failed" : "received");
  } catch {
    markAck(item, "failed");
  }
}

function setState(state) {
  $("state").dataset.state = state;
  $("state").textContent = state;
}

function showTransport() {
  const name = socket.io.engine.transport.name;
  $("transport").dataset.transport = name;
  $("transport").textContent = name;
}

function showMessage({ from, text, ack }) {
  const item = document.createElement("li");
  const isOwn = from === session.name;
  item.classList.toggle("own", isOwn);
  const author = document.createElement("span");
  author.className = "from";
  author.textContent = from;
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
  if (isTyping) typists.set(name, true);
  else typists.delete(name);
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

function showRooms(rooms) {
  $("rooms").replaceChildren(...rooms.map(({ name, count }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const label = document.createElement("span");
    label.textContent = `# ${name}`;
    const people = document.createElement("span");
    people.className = "muted";
    people.textContent = count;
    button.append(label, people);
    button.dataset.room = name;
    button.type = "button";
    button.addEventListener("click", () => enter(name));
    item.append(button);
    return item;
  }));
  markCurrentRoom();
}

function markCurrentRoom() {
  for (const button of $("rooms").querySelectorAll("button")) {
    button.setAttribute("aria-current", button.dataset.room === room);
  }
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
  $("chat").hidden = true;
  $("login").hidden = false;
  $("login-error").textContent = reason ?? "";
}

const io = await loadClient();

// Before the login only the public namespace is reachable: it tells how many are in.
io("/status").on("count", (count) => { $("public-count").textContent = count; });

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await session.login($("name").value);
  } catch (error) {
    $("login-error").textContent = error.message;
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
  if (name) enter(name);
});

$("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  $("text").value = "";
  stopTyping();
  if (text) say(text);
});

let typingPause = null;
function stopTyping() {
  if (typingPause === null) return;
  clearTimeout(typingPause);
  typingPause = null;
  socket?.emit("typing", room, false);
}
$("text").addEventListener("input", () => {
  if (typingPause === null) socket?.emit("typing", room, true);
  else clearTimeout(typingPause);
  typingPause = setTimeout(stopTyping, TYPING_PAUSE_MS);
});

$("renew").addEventListener("click", renew);
$("logout").addEventListener("click", () => logout());
setInterval(showTokenLife, 250);
