"""python-socketio's client against profile `socket`, also with PARSER=msgpack."""

import queue
import unittest

import socketio
from support import PATIENCE_SECONDS, POLLING, SWIFT, UPGRADE, URL, WEBSOCKET
from support import Case, Inbox, Proxy, ask

JSON_ARGUMENTS = [
    (),
    ("text",),
    ('€😀 \u2028\u2029\x00"\\', ""),
    (0, -1, 1.5, 2**53, True, False, None),
    ({"a": [{"b": {"c": []}}], "": {}}, [1, [2, [3]]]),
    ({"_placeholder": True, "num": 0},),
    ("x" * 100_000,),
]

BINARY_ARGUMENTS = [
    (b"\x01\x02\x03",),
    (b"", "after"),
    ("before", {"a": b"a", "b": [b"b", {"c": b"c"}]}, 1),
    tuple(bytes([index]) for index in range(10)),
    (b"\xa5" * 100_000,),
]


class Served:
    """What the client does by each way."""

    async def test_it_gets_arguments_back_unchanged(self):
        client = self.client()
        back = Inbox(client, "message-back")
        await self.join(client)
        for arguments in JSON_ARGUMENTS + BINARY_ARGUMENTS:
            await client.emit("message", arguments)
            self.assertEqual(await back.next(), arguments)

    async def test_it_gets_arguments_back_in_an_ack(self):
        client = await self.open()
        for arguments in JSON_ARGUMENTS + BINARY_ARGUMENTS:
            self.assertEqual(await ask(client, "message-with-ack", *arguments), arguments)

    async def test_it_answers_an_ack_that_the_server_asks_for(self):
        client = self.client()
        asked = Inbox(client, "emit-with-ack", answer=lambda *a: ("answer", b"\x04", *a))
        await self.join(client)
        for arguments in [(1, "2"), ({"b": b"\x03"},)]:
            await client.emit("emit-with-ack", arguments)
            self.assertEqual(await asked.next(), arguments)
            # What was answered comes back under the same name.
            self.assertEqual(await asked.next(), ("answer", b"\x04", *arguments))

    async def test_it_is_told_its_auth_payload(self):
        for auth in [{"token": "123"}, {}, {"nested": {"list": [1, None]}}]:
            client = self.client()
            told = Inbox(client, "auth", "/custom")
            await self.join(client, namespaces="/custom", auth=auth)
            self.assertEqual(await told.next(), (auth,))

    async def test_it_speaks_in_two_namespaces_over_one_connection(self):
        client = self.client()
        in_root, in_custom = Inbox(client, "broadcast"), Inbox(client, "broadcast", "/custom")
        await self.join(client, namespaces=["/", "/custom"])
        self.assertNotEqual(client.get_sid("/"), client.get_sid("/custom"))
        await client.emit("broadcast", "for root")
        await client.emit("broadcast", "for custom", namespace="/custom")
        self.assertEqual(await in_root.next(), ("for root",))
        self.assertEqual(await in_custom.next(), ("for custom",))

    async def test_it_is_refused_an_unknown_namespace(self):
        told = await self.refusal(namespace="/unknown")
        self.assertEqual(told, {"message": "Invalid namespace"})

    async def test_it_lives_on_in_one_namespace_when_another_is_unknown(self):
        client = self.client()
        joined = Inbox(client, "connect")
        refused = Inbox(client, "connect_error", "/unknown")
        await client.connect(URL, transports=self.way, namespaces=["/", "/unknown"], wait=False)
        self.assertEqual(await refused.next(), ({"message": "Invalid namespace"},))
        await joined.next()
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))

    async def test_it_hears_a_broadcast_as_its_sender_does(self):
        one, two = self.client(), self.client()
        heard = [Inbox(one, "broadcast"), Inbox(two, "broadcast")]
        await self.join(one)
        await self.join(two)
        await one.emit("broadcast", {"bytes": b"\x01"})
        for inbox in heard:
            self.assertEqual(await inbox.next(), ({"bytes": b"\x01"},))

    async def test_it_hears_a_room_while_it_is_in(self):
        member, other = self.client(), self.client()
        heard = Inbox(member, "broadcast")
        await self.join(member)
        await self.join(other)
        self.assertEqual(await ask(member, "join", "a room"), ())
        await other.emit("roomcast", ("a room", "in"))
        self.assertEqual(await heard.next(), ("in",))
        self.assertEqual(await ask(member, "leave", "a room"), ())
        await other.emit("roomcast", ("a room", "out"))
        await other.emit("broadcast", "to all")
        self.assertEqual(await heard.next(), ("to all",))

    async def test_it_gets_1000_events_some_binary_back_in_order(self):
        client = self.client()
        back = Inbox(client, "message-back")
        await self.join(client)
        sent = [bytes([n % 256]) if n % 7 == 0 else n for n in range(1_000)]
        for value in sent:
            await client.emit("message", value)
        self.assertEqual(await back.take(len(sent)), sent)

    async def test_it_may_leave_and_come_back_as_another(self):
        client = self.client()
        gone = Inbox(client, "disconnect")
        await self.join(client)
        sid = client.get_sid()
        await client.disconnect()
        self.assertEqual(await gone.next(), ("client disconnect",))
        await self.join(client)
        self.assertNotEqual(client.get_sid(), sid)
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))

    async def test_it_comes_back_by_itself_when_the_connection_breaks(self):
        proxy = await Proxy.before(URL, self)
        client = self.client()
        joined, gone = Inbox(client, "connect"), Inbox(client, "disconnect")
        await self.join(client, proxy.url)
        await joined.next()
        sid = client.get_sid()
        proxy.cut()
        self.assertEqual(await gone.next(), ("transport error",))
        proxy.mend()
        await joined.next()
        self.assertNotEqual(client.get_sid(), sid)
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))


class ByPolling(Served, Case):
    way = POLLING


class ByWebSocket(Served, Case):
    way = WEBSOCKET


class ByUpgrade(Served, Case):
    way = UPGRADE


class TheClientWithThreads(unittest.TestCase):
    """The other client of the package, on the libraries requests and websocket-client."""

    def test_it_is_served_by_each_way(self):
        for way in (POLLING, WEBSOCKET, UPGRADE):
            with self.subTest(way=way):
                self.is_served(way)

    def is_served(self, way):
        client = socketio.Client(**SWIFT)
        back, gone = queue.Queue(), queue.Queue()
        client.on("message-back", lambda *arguments: back.put(arguments))
        client.on("disconnect", gone.put)
        client.connect(URL, transports=way, wait_timeout=PATIENCE_SECONDS)
        try:
            self.assertEqual(client.transport(), way[-1])
            for arguments in JSON_ARGUMENTS + BINARY_ARGUMENTS:
                client.emit("message", arguments)
                self.assertEqual(back.get(timeout=PATIENCE_SECONDS), arguments)
            answer = client.call("message-with-ack", ("a", {"b": b"\x01"}), timeout=PATIENCE_SECONDS)
            self.assertEqual(answer, ("a", {"b": b"\x01"}))
        finally:
            client.disconnect()
        self.assertEqual(gone.get(timeout=PATIENCE_SECONDS), "client disconnect")


if __name__ == "__main__":
    unittest.main()
