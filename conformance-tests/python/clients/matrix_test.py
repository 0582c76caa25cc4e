"""python-socketio's client against the configurations of profile `matrix`."""

import unittest

import socketio
from support import POLLING, UPGRADE, WEBSOCKET
from support import Case, Inbox, ask, matrix_url

PLAIN = matrix_url(0)
QUICK = matrix_url(1)
COOKIES = matrix_url(2)
POLLING_ONLY = matrix_url(5)
WEBSOCKET_ONLY = matrix_url(6)

# Longer than 16 bytes, from which on the last two configurations compress.
COMPRESSIBLE = "compress me " * 1_000


class Served:
    """What the client does by each way."""

    async def test_it_is_refused_by_middleware_with_its_data(self):
        self.assertEqual(await self.refusal(PLAIN, "/no"), {"message": "denied"})
        self.assertEqual(
            await self.refusal(PLAIN, "/no-data"),
            {"message": "denied", "data": {"code": 7, "why": "x"}},
        )

    async def test_it_joins_a_dynamic_namespace_and_none_that_its_pattern_leaves_out(self):
        client = await self.open(PLAIN, "/dyn-12")
        answer = await ask(client, "message-with-ack", "in", namespace="/dyn-12")
        self.assertEqual(answer, ("in",))
        self.assertEqual(await self.refusal(PLAIN, "/dyn-x"), {"message": "Invalid namespace"})

    async def test_two_dynamic_namespaces_are_apart(self):
        client = self.client()
        inboxes = {name: Inbox(client, "all", name) for name in ("/dyn-1", "/dyn-2")}
        await self.join(client, PLAIN, list(inboxes))
        for name in inboxes:
            await client.emit("all", name, namespace=name)
        for name, inbox in inboxes.items():
            self.assertEqual(await inbox.next(), (name,))

    async def test_it_gets_what_is_emitted_on_connection(self):
        client = self.client()
        hello = Inbox(client, "hello", "/emit-first")
        await self.join(client, PLAIN, "/emit-first")
        self.assertEqual(await hello.next(), (1,))

    async def test_it_tells_a_namespace_its_auth_payload(self):
        client = self.client()
        told = Inbox(client, "auth", "/auth")
        await self.join(client, PLAIN, "/auth", auth={"token": "x"})
        self.assertEqual(await told.next(), ({"token": "x"},))

    async def test_it_is_kicked_out_of_a_namespace_and_stays_in_the_others(self):
        client = self.client()
        gone = Inbox(client, "disconnect", "/custom")
        await self.join(client, PLAIN, ["/", "/custom"])
        await client.emit("kick", namespace="/custom")
        self.assertEqual(await gone.next(), ("server disconnect",))
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))

    async def test_it_is_kicked_out_of_every_namespace_at_once(self):
        client = self.client()
        gone = [Inbox(client, "disconnect", name) for name in ("/", "/custom")]
        await self.join(client, PLAIN, ["/", "/custom"])
        await client.emit("kick-all", namespace="/custom")
        for inbox in gone:
            self.assertEqual(await inbox.next(), ("server disconnect",))
        self.assertEqual(client.namespaces, {})

    async def test_it_gets_a_burst_complete_and_in_order(self):
        client = self.client()
        numbers = Inbox(client, "n")
        await self.join(client, PLAIN)
        await client.emit("burst", 1_000)
        self.assertEqual(await numbers.take(1_000), list(range(1_000)))

    async def test_it_gets_bytes_nested_too(self):
        client = self.client()
        got = Inbox(client, "bin")
        await self.join(client, PLAIN)
        await client.emit("bin")
        self.assertEqual(await got.next(), (b"\x01\x02\x03", {"b": b"\x04"}))

    async def test_it_answers_what_it_is_asked(self):
        client = self.client()
        Inbox(client, "ask", answer=lambda question: ("answer to", question, b"\x01"))
        answered = Inbox(client, "answer")
        await self.join(client, PLAIN)
        await client.emit("ask", "question")
        self.assertEqual(await answered.next(), ("answer to", "question", b"\x01"))

    async def test_it_hears_its_room_but_not_itself_and_everything_for_all(self):
        one, two = self.client(), self.client()
        room_of_one, room_of_two = Inbox(one, "room"), Inbox(two, "room")
        all_of_one, all_of_two = Inbox(one, "all"), Inbox(two, "all")
        for client in (one, two):
            await self.join(client, PLAIN)
        room = f"room of {one.get_sid()}"
        for client in (one, two):
            await ask(client, "join", room)
        await one.emit("to", (room, "text", b"\x01"))
        self.assertEqual(await room_of_two.next(), ("text", b"\x01"))
        await one.emit("all", ("everyone", room))
        for inbox in (all_of_one, all_of_two):
            self.assertEqual(await inbox.next(), ("everyone", room))
        self.assertEqual(room_of_one.size, 0)

    async def test_it_answers_pings(self):
        client = self.client()
        gone = Inbox(client, "disconnect")
        await self.join(client, QUICK)
        # Unanswered, the first would end the session after half a second.
        self.assertTrue(await gone.is_silent(1))
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))

    async def test_it_is_served_where_cookies_are_set(self):
        client = await self.open(COOKIES, headers={"Origin": "http://a.example"})
        self.assertEqual(await ask(client, "message-with-ack", 1), (1,))


class ByPolling(Served, Case):
    way = POLLING


class ByWebSocket(Served, Case):
    way = WEBSOCKET


class ByUpgrade(Served, Case):
    way = UPGRADE


class OneTransportOnly(Case):
    async def test_it_is_answered_by_polling_compressed_and_offered_no_upgrade(self):
        client = await self.open(POLLING_ONLY)
        self.assertEqual(client.transport(), "polling")
        self.assertEqual(await ask(client, "message-with-ack", COMPRESSIBLE), (COMPRESSIBLE,))

    async def test_it_is_answered_by_websocket_compressed(self):
        self.way = WEBSOCKET
        client = self.client(websocket_extra_options={"compress": 15})
        await self.join(client, WEBSOCKET_ONLY)
        self.assertEqual(client.eio.ws.compress, 15)
        arguments = (COMPRESSIBLE, COMPRESSIBLE.encode())
        self.assertEqual(await ask(client, "message-with-ack", *arguments), arguments)

    async def test_it_is_refused_the_other(self):
        for url, way in [(POLLING_ONLY, WEBSOCKET), (WEBSOCKET_ONLY, POLLING)]:
            self.way = way
            with self.assertRaises(socketio.exceptions.ConnectionError):
                await self.open(url)


if __name__ == "__main__":
    unittest.main()
