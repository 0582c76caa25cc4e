// The fixture of conformance-tests/spec/FIXTURE.md on Node's engine.io and socket.io: the reference that every
// black-box case and every client test must pass on before it may judge another server.
//
//     node fixture.mjs --profile engine|socket|matrix|auth|cluster [--port 0]
//
// Left out, because the reference cannot say it: per-address limits (`IP_ATTEMPTS`) and the `auth` member of the
// CONNECT reply.

import { listen } from "./fixture/listen.mjs";
import { parseArguments } from "./fixture/options.mjs";

const PROFILES = ["engine", "socket", "matrix", "auth", "cluster"];

process.once("SIGTERM", () => process.exit(0));
try {
  const options = parseArguments(process.argv.slice(2));
  const servers = await build(options);
  const port = await listen(options.port, servers);
  console.log(`listening on 127.0.0.1:${port}`);
} catch (error) {
  console.error(`fixture: ${told(error)}`);
  process.exit(2);
}

async function build(options) {
  const { profile } = options;
  if (!PROFILES.includes(profile)) {
    throw new Error(`unknown profile ${profile}; there are ${PROFILES.join(", ")}`);
  }
  // Not before it is wanted: where the packages are missing, that can then be said in words.
  const module = await import(`./fixture/${profile}.mjs`);
  return module[profile](options);
}

function told(error) {
  switch (error.code) {
    case "ERR_MODULE_NOT_FOUND":
      return "the Node packages are missing: run scripts/setup, or `npm ci --prefix conformance-tests/node`";
    case "EADDRINUSE":
      return `${error.message}; choose another --port`;
    default:
      return error.message;
  }
}
