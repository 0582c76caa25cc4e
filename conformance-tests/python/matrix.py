"""The first configuration of profile `matrix`, on python-socketio.

The library has neither volatile events nor a middleware for events: `volatile` emits as usual, and `forbidden` is not handled.
"""

import asyncio
import re

import socketio

SURVEY_TIMEOUT_SECONDS = 0.4


def register(server):
    """Adds the namespaces."""
    for name in ("/", "/custom"):
        server.register_namespace(Matrix(name))
    server.register_namespace(Refusing("/no"))
    server.register_namespace(Refusing("/no-data", {"code": 7, "why": "x"}))
    server.register_namespace(Greeting("/auth", "auth", lambda auth: auth or {}))
    server.register_namespace(Greeting("/emit-first", "hello", lambda auth: 1))
    server.register_namespace(Slow("/slow"))
    server.register_namespace(Dynamic("*"))


class Named(socketio.AsyncNamespace):
    """Event names may hold characters that method names cannot."""

    async def trigger_event(self, event, *args):
        name = "on_" + event.replace("-", "_")
        return await getattr(self, name)(*args) if hasattr(self, name) else None


class Refusing(Named):
    """Nobody comes in."""

    def __init__(self, name, *data):
        super().__init__(name)
        self.data = data

    async def on_connect(self, sid, environ, auth=None):
        raise socketio.exceptions.ConnectionRefusedError("denied", *self.data)


class Greeting(Named):
    """Says something to each that comes, and nothing else."""

    def __init__(self, name, event, value):
        super().__init__(name)
        self.event = event
        self.value = value

    async def on_connect(self, sid, environ, auth=None):
        # Not before the client knows that it is connected.
        self.server.start_background_task(self.emit, self.event, self.value(auth), to=sid)


class Matrix(Named):
    """The handlers that most namespaces have."""

    async def on_message(self, sid, *args):
        await self.emit("message-back", args, to=sid)

    async def on_message_with_ack(self, sid, *args):
        return args

    async def on_ask(self, sid, *args):
        async def answered(*answer):
            await self.emit("answer", answer, to=sid)

        await self.emit("ask", args, to=sid, callback=answered)

    async def on_kick(self, sid):
        await self.disconnect(sid)

    async def on_kick_all(self, sid):
        connection = self.server.manager.eio_sid_from_sid(sid, self.namespace)
        await self.server.eio.disconnect(connection)

    async def on_burst(self, sid, count):
        for i in range(count):
            await self.emit("n", i, to=sid)

    async def on_bin(self, sid):
        await self.emit("bin", (b"\1\2\3", {"b": b"\4"}), to=sid)

    async def on_join(self, sid, room):
        await self.enter_room(sid, room)

    async def on_to(self, sid, room, *args):
        await self.emit("room", args, room=room, skip_sid=sid)

    async def on_all(self, sid, *args):
        await self.emit("all", args)

    async def on_volatile(self, sid, count):
        for i in range(count):
            await self.emit("v", i, to=sid)

    async def on_survey(self, sid, room, *args):
        answers = []

        async def ask(one):
            answers.append(await self.call("q", args, to=one, timeout=SURVEY_TIMEOUT_SECONDS))

        asked = [ask(one) for one, _ in self.server.manager.get_participants(self.namespace, room)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        await self.emit("answers", (answers, any(ended)), to=sid)

    async def on_kick_room(self, sid, room):
        for one, _ in list(self.server.manager.get_participants(self.namespace, room)):
            await self.disconnect(one)


class Slow(Matrix):
    """Thinks before it accepts."""

    async def on_connect(self, sid, environ, auth=None):
        await asyncio.sleep(0.3)
        name = (auth or {}).get("name")
        await self.server.emit("room", ("connected", name), room="slow-watch", namespace="/")


class Dynamic(Named):
    """Makes a namespace of its own for each `/dyn-<digits>` that is asked for."""

    async def on_connect(self, name, sid, environ, auth=None):
        if not re.fullmatch(r"/dyn-\d+", name):
            raise socketio.exceptions.ConnectionRefusedError("Invalid namespace")
        self.server.register_namespace(Matrix(name))
