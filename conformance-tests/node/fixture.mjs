// The fixture of conformance-tests/spec/FIXTURE.md on Node's engine.io and socket.io: the reference that every
// black-box case and every client test must pass on before it may judge another server.
//
//     node fixture.mjs --profile engine|socket|matrix|auth [--port 0]
//
// Left out, because the reference cannot say it: per-address limits (`IP_ATTEMPTS`) and the `auth` member of the
// CONNECT reply.

import { engine } from "./fixture/engine.mjs";
import { socket } from "./fixture/socket.mjs";
import { matrix } from "./fixture/matrix.mjs";
import { auth } from "./fixture/auth.mjs";
import { listen } from "./fixture/listen.mjs";
import { parseArguments } from "./fixture/options.mjs";

const profiles = { engine, socket, matrix, auth };

const options = parseArguments(process.argv.slice(2));
const profile = profiles[options.profile];
if (!profile) {
  throw new Error(`unknown profile ${options.profile}`);
}
process.once("SIGTERM", () => process.exit(0));
const port = await listen(options.port, profile());
console.log(`listening on 127.0.0.1:${port}`);
