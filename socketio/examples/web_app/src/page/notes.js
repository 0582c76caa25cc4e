// The server's own copy of the client, or the public one.
const own = import("/socket.io/socket.io.esm.min.js");
const { io } = await own.catch(() => import("https://cdn.socket.io/4.8.1/socket.io.esm.min.js"));

const at = (id) => document.getElementById(id);
const notes = new Map();

/** Notes by their number, so that one that comes twice is shown once. */
function show(note) {
  notes.set(note.id, note.text);
  const sorted = [...notes].sort(([a], [b]) => a - b);
  at("notes").replaceChildren(...sorted.map(([, text]) => Object.assign(document.createElement("li"), { textContent: text })));
}

// The browser sends the cookie along; to a server of another origin it takes `withCredentials: true`.
const live = io("/notes");
live.on("notes", (all) => all.forEach(show));
live.on("note", show);
live.on("connect", () => (at("state").textContent = "live"));
live.on("connect_error", (error) => {
  at("state").textContent = "not connected";
  // The session is over: the page will ask to log in.
  if (error.data?.code) location.reload();
});
live.on("disconnect", (reason) => {
  at("state").textContent = "not connected";
  // Logged out, perhaps in another tab. Of itself the client comes back after anything else.
  if (reason === "io server disconnect") location.reload();
});

at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await live.timeout(5_000).emitWithAck("add", at("text").value).catch(() => ({ error: "no answer" }));
  at("error").textContent = answer.error ?? "";
  if (!answer.error) {
    show(answer);
    at("text").value = "";
  }
});

const { name } = await io("/account").emitWithAck("whoami");
at("name").textContent = name;
