// The server under test, by URL. Start a fixture, then for example
//
//     FIXTURE_URL=http://127.0.0.1:3000 node --test clients/engine.test.mjs
//
// The head of each test file says which profile and environment it wants; `conformance-tests/tests/clients.rs` runs
// them all so.

const text = process.env.FIXTURE_URL;
if (!text) {
  throw new Error("FIXTURE_URL must name the server under test, like http://127.0.0.1:3000");
}

export const url = new URL(text).origin;

/** Set when the server is Node's own; tests of what we deliberately do otherwise are skipped there, with the reason. */
export const isReference = process.env.FIXTURE_IS_REFERENCE === "1";

/** The `matrix` profile's server at `offset`. */
export function matrixUrl(offset) {
  const { protocol, hostname, port } = new URL(url);
  return `${protocol}//${hostname}:${Number(port) + offset}`;
}

/** The ways of a client to the server, as options that every client generation knows. */
export const ways = {
  polling: { transports: ["polling"] },
  WebSocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};
