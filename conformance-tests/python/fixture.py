"""Profiles `engine`, `socket` and the first configuration of `matrix` of conformance-tests/spec/FIXTURE.md on python-engineio and
python-socketio.

    .venv/bin/python fixture.py --profile engine|socket|matrix [--port 0]

A second opinion beside the Node fixture; protocol 3 is not spoken (`EIO3` is ignored).
"""

import argparse
import asyncio
import os
import signal
import sys

try:
    import engineio
    import socketio
    from aiohttp import web
except ModuleNotFoundError as missing:
    sys.exit(
        f"fixture: the Python package {missing.name} is missing: run scripts/setup, then this with "
        "conformance-tests/python/.venv/bin/python"
    )

import matrix


def number(name, default):
    """A number from the environment."""
    return int(os.environ.get(name, default))


def limits(ping_interval, ping_timeout):
    """What both servers are configured with; the environment's word counts above the profile's."""
    return {
        "async_mode": "aiohttp",
        "cors_allowed_origins": "*",
        "ping_interval": number("PING_INTERVAL", ping_interval) / 1000,
        "ping_timeout": number("PING_TIMEOUT", ping_timeout) / 1000,
        "max_http_buffer_size": number("MAX_PAYLOAD", 1_000_000),
    }


def engine(app):
    """Every message is sent back unchanged on its session."""
    server = engineio.AsyncServer(**limits(300, 200))
    server.attach(app)

    @server.on("message")
    async def message(sid, data):
        await server.send(sid, data)


def socket(app):
    """What load generators and the official clients talk to."""
    server = serve(app)
    for name in ("/", "/custom"):
        server.register_namespace(Table(name))


def plain(app):
    """The first of the matrix's servers."""
    # Which namespaces there are is decided by their handlers.
    matrix.register(serve(app, namespaces="*"))


def serve(app, **options):
    """A Socket.IO server with the environment's options and then these."""
    serializer = os.environ.get("PARSER", "default")
    server = socketio.AsyncServer(serializer=serializer, **limits(25_000, 20_000), **options)
    server.attach(app)
    return server


class Table(matrix.Named):
    """The handlers of one namespace."""

    async def on_connect(self, sid, environ, auth=None):
        if os.environ.get("NO_AUTH_EVENT") != "1":
            # Not before the client knows that it is connected.
            self.server.start_background_task(self.emit, "auth", auth or {}, to=sid)

    async def on_message(self, sid, *args):
        await self.emit("message-back", args, to=sid)

    async def on_message_with_ack(self, sid, *args):
        return args

    async def on_emit_with_ack(self, sid, *args):
        # Without a limit a client that never answers would be waited for in vain.
        limit = (number("ACK_TIMEOUT", 400) or 60_000) / 1000
        try:
            answer = await self.call("emit-with-ack", args, to=sid, timeout=limit)
        except socketio.exceptions.TimeoutError:
            return
        await self.emit("emit-with-ack", answer if isinstance(answer, tuple) else (answer,), to=sid)

    async def on_ack(self, sid, value):
        return value

    async def on_join(self, sid, room):
        await self.enter_room(sid, room)

    async def on_leave(self, sid, room):
        await self.leave_room(sid, room)

    async def on_broadcast(self, sid, value):
        await self.emit("broadcast", value)

    async def on_roomcast(self, sid, room, value):
        await self.emit("broadcast", value, room=room)


PROFILES = {"engine": engine, "socket": socket, "matrix": plain}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices=list(PROFILES), default="engine")
    parser.add_argument("--port", type=int, default=3000)
    options = parser.parse_args()

    app = web.Application()
    PROFILES[options.profile](app)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port)
    await site.start()
    port = runner.addresses[0][1]
    print(f"listening on 127.0.0.1:{port}", flush=True)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
