// The fixture in a process of its own, and what it uses.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

/** Quick enough that a minute sees timeouts and a log that forgets; milliseconds. */
const ENVIRONMENT = { PING_INTERVAL: "2000", PING_TIMEOUT: "4000", MAX_DISCONNECTION: "15000" };

/** Where in the profile `matrix` the server is that recovers. */
const RECOVERING = 4;

export class Server {
  #process;
  #lines;
  /** Resolves to how the process ended. */
  ended;
  url;

  static async start(program, ...a) {
    const server = new Server();
    server.#process = spawn(program, ["--profile", "matrix", "--port", "0", ...a], {
      env: { ...process.env, ...ENVIRONMENT },
      stdio: ["ignore", "pipe", "inherit"],
    });
    server.ended = new Promise((resolve, reject) => {
      server.#process.once("error", reject);
      server.#process.once("exit", (code, signal) => resolve(signal ?? code));
    });
    server.#lines = createInterface(server.#process.stdout);
    const [line] = await Promise.race([once(server.#lines, "line"), server.ended.then((how) => [`ended: ${how}`])]);
    const [, host, port] = /^listening on (.*):(\d+)$/.exec(line) ?? [];
    if (!port) {
      throw new Error(`the fixture did not start: ${line}`);
    }
    server.url = `http://${host}:${Number(port) + RECOVERING}`;
    return server;
  }

  /** Resident kilobytes, descriptors, threads, and tasks of the runtime that live. */
  async usage() {
    const { pid } = this.#process;
    const line = once(this.#lines, "line");
    this.#process.kill("SIGUSR1");
    const [[said], status, descriptors, threads] = await Promise.all([
      line,
      readFile(`/proc/${pid}/status`, "utf8"),
      readdir(`/proc/${pid}/fd`),
      readdir(`/proc/${pid}/task`),
    ]);
    return {
      memory: Number(/^VmRSS:\s*(\d+)/m.exec(status)[1]),
      descriptors: descriptors.length,
      threads: threads.length,
      tasks: Number(/^alive tasks (\d+)$/.exec(said)[1]),
    };
  }

  /** Tells it to end. */
  terminate() {
    this.#process.kill("SIGTERM");
    return this.ended;
  }

  kill() {
    this.#process.kill("SIGKILL");
  }
}
