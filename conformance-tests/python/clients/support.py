"""What the test files share: the server under test, and a client whose events can be awaited without missing one.

Start a fixture, then for example

    FIXTURE_URL=http://127.0.0.1:3000 .venv/bin/python clients/socket_test.py

The head of each test file says which profile and environment it wants; `conformance-tests/tests/clients.rs` runs them
all so.
"""

import asyncio
import os
import unittest
from urllib.parse import urlsplit, urlunsplit

import socketio
from engineio.payload import Payload

PATIENCE_SECONDS = 30

if "FIXTURE_URL" not in os.environ:
    raise SystemExit("FIXTURE_URL must name the server under test, like http://127.0.0.1:3000")

URL = os.environ["FIXTURE_URL"]

# Set when the server is Node's own; tests of what we deliberately do otherwise are skipped there, with the reason.
IS_REFERENCE = os.environ.get("FIXTURE_IS_REFERENCE") == "1"

# The ways of a client to the server, as the client's own option names them.
POLLING = ["polling"]
WEBSOCKET = ["websocket"]
UPGRADE = ["polling", "websocket"]

# A poll's answer with more packets ends this client's connection. It is 16 otherwise, fewer than a burst brings.
Payload.max_decode_packets = 10_000

# How every client of these tests is made.
SWIFT = {
    "reconnection_delay": 0.01,
    "randomization_factor": 0,
    "serializer": os.environ.get("PARSER", "default"),
}


def matrix_url(offset):
    """The `matrix` profile's server at `offset`."""
    parts = urlsplit(URL)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{parts.port + offset}"))


def within(waiting):
    """The result of something awaited, or an error when it takes too long."""
    return asyncio.wait_for(waiting, PATIENCE_SECONDS)


class Inbox:
    """Everything that `client` gets under `event` from now on, in order, as tuples of arguments.

    What asks for an ack is answered with what `answer` makes of the arguments.
    """

    def __init__(self, client, event, namespace="/", answer=lambda *_arguments: None):
        self._queue = asyncio.Queue()

        def put(*arguments):
            self._queue.put_nowait(arguments)
            return answer(*arguments)

        client.on(event, put, namespace=namespace)

    async def next(self):
        """The arguments of the next event."""
        return await within(self._queue.get())

    async def take(self, count):
        """The first argument of each of the next `count` events."""
        return [(await self.next())[0] for _ in range(count)]

    async def is_silent(self, seconds):
        """Whether nothing comes for so long."""
        try:
            await asyncio.wait_for(self._queue.get(), seconds)
        except asyncio.TimeoutError:
            return True
        return False

    @property
    def size(self):
        """How many came that nobody took."""
        return self._queue.qsize()


class Case(unittest.IsolatedAsyncioTestCase):
    """A test whose clients end with it. Subclasses say by which way they connect."""

    maxDiff = 2_000
    way = UPGRADE

    async def asyncSetUp(self):
        # Debugging, which is on here, reports each step that takes a tenth of a second.
        asyncio.get_running_loop().set_debug(False)

    def client(self, **options):
        """A client that is not connected yet, so that inboxes can be made before anything comes."""
        client = socketio.AsyncClient(**{**SWIFT, **options})
        self.addAsyncCleanup(end, client)
        return client

    async def join(self, client, url=URL, namespaces="/", way=None, **options):
        """Connects a client, and moves to WebSocket where its way has that."""
        way = way or self.way
        await client.connect(
            url,
            transports=way,
            namespaces=namespaces,
            wait_timeout=PATIENCE_SECONDS,
            **options,
        )
        if not is_limited_to_one_transport(url):
            self.assertEqual(client.transport(), way[-1])
        return client

    async def open(self, url=URL, namespaces="/", **options):
        """A connected client."""
        return await self.join(self.client(), url, namespaces, **options)

    async def refusal(self, url=URL, namespace="/", **options):
        """What a client is told that must not get into `namespace`."""
        client = self.client()
        refused = Inbox(client, "connect_error", namespace)
        with self.assertRaisesRegex(socketio.exceptions.ConnectionError, "failed to connect"):
            await self.join(client, url, namespace, **options)
        (told,) = await refused.next()
        return told


def is_limited_to_one_transport(url):
    """Whether this is one of the `matrix` configurations that offer no upgrade."""
    return url in (matrix_url(5), matrix_url(6))


async def end(client):
    """Ends a client, whatever has become of it."""
    await within(client.shutdown())
    # Left open by a WebSocket that was refused.
    if client.eio.http is not None:
        await client.eio.http.close()


async def ask(client, event, *arguments, namespace="/"):
    """Emits with an ack; gives the arguments of the answer."""
    answer = asyncio.get_running_loop().create_future()
    await client.emit(
        event, arguments, namespace=namespace, callback=lambda *a: answer.set_result(a)
    )
    return await within(answer)


class Proxy:
    """A TCP proxy that can break what goes through it."""

    @classmethod
    async def before(cls, url, case):
        """A proxy before `url`, which ends with the test `case`."""
        proxy = cls()
        proxy._target = urlsplit(url)
        proxy._links = set()
        proxy._is_cut = False
        proxy._server = await asyncio.start_server(proxy._link, "127.0.0.1", 0)
        case.addAsyncCleanup(proxy._close)
        return proxy

    @property
    def url(self):
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    def cut(self):
        """Breaks every connection, without a goodbye, and every new one until `mend`."""
        self._is_cut = True
        for writer in self._links:
            writer.transport.abort()

    def mend(self):
        """Lets connections through again."""
        self._is_cut = False

    async def _link(self, reader, writer):
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        self._links |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._links -= {writer, far_writer}

    @staticmethod
    async def _pump(reader, writer):
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _close(self):
        self._server.close()
        self.cut()
