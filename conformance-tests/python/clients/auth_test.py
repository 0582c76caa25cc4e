"""python-socketio's client against profile `auth` with AUTH_TIMEOUT=3000."""

import asyncio
import time
import unittest

from support import POLLING, UPGRADE, URL, WEBSOCKET
from support import IS_REFERENCE, Case, Inbox, ask, within
from tokens import now, token

# What the server was started with.
TIMEOUT_SECONDS = 3

# What a busy machine may add.
SLACK_SECONDS = 1.5

# How long a token lasts that is to end: enough to connect in, and to be told that the end is near.
SHORT_SECONDS = 4

ORIGIN = "http://a.example"

# Why the client was ended by DISCONNECT. Where that does not come with the `unauthorized` before it, its acknowledgement
# may find the connection closed, and it stops reading.
ENDS = [("server disconnect",)] + [("transport error",)] * IS_REFERENCE

# The client acknowledges each `unauthorized` by itself, also where a DISCONNECT follows at once.
LATE_ACKS = "an ack for a namespace that was ended meanwhile closes the connection there"

HEADERS = {
    "a bearer header": lambda value: {"Authorization": f"Bearer {value}"},
    "x-auth-token": lambda value: {"X-Auth-Token": value},
    "a cookie": lambda value: {"Cookie": f"a=b; token={value}"},
    "a cookie from the allowed origin": lambda value: {"Cookie": f"token={value}", "Origin": ORIGIN},
}

BAD_TOKENS = {
    "none": ("credentials_required", lambda: None),
    "garbage": ("invalid_token", lambda: "garbage"),
    "of another secret": ("invalid_token", lambda: token("ann", secret="x" * 40)),
    "of another audience": ("invalid_token", lambda: token("ann", aud="other")),
    "of another issuer": ("invalid_token", lambda: token("ann", iss="other")),
    "without an end": ("invalid_token", lambda: token("ann", exp=None)),
    "expired": ("token_expired", lambda: token("ann", exp=now() - 1)),
    "no text": ("credentials_bad_format", lambda: 1),
}


class AuthCase(Case):
    """A test of clients that say who they are."""

    async def assert_is(self, client, sub, namespace="/", **more):
        (who,) = await ask(client, "whoami", namespace=namespace)
        known = {"sub": sub, "guest": sub is None, **more}
        self.assertEqual(who, {**who, **known})

    async def assert_refused(self, code, namespace="/", url=URL, **options):
        told = await self.refusal(url, namespace, **options)
        message = told["message"]
        data = {"message": message, "code": code, "type": "UnauthorizedError"}
        self.assertEqual(told, {"message": message, "data": data})

    async def assert_unauthorized(self, unauthorized, code):
        (error,) = await unauthorized.next()
        message = error["message"]
        data = {"message": message, "code": code, "type": "UnauthorizedError"}
        self.assertEqual(error, {"message": message, "inner": {"message": message}, "data": data})

    async def authenticate(self, client, value, namespace="/two-trip"):
        """Says who the client is, and hears that it is believed."""
        authenticated = Inbox(client, "authenticated", namespace)
        await client.emit("authenticate", {"token": value}, namespace=namespace)
        self.assertEqual(await authenticated.next(), ())


class Authenticated:
    """What the client does by each way."""

    async def test_it_enters_with_a_token_and_is_known_by_it(self):
        exp = now() + 500
        auth = {"token": token("ann", exp=exp)}
        namespaces = ["/", "/admin", "/either", "/guest"]
        client = await self.open(namespaces=namespaces, auth=auth)
        for namespace in namespaces:
            await ask(client, "join", "red", namespace=namespace)
            await self.assert_is(client, "ann", namespace, expires_at=exp, rooms=["red"])

    async def test_it_may_have_a_function_for_its_token_and_a_scheme_before_it(self):
        client = await self.open(auth=lambda: {"token": f"Bearer {token('ann')}"})
        await self.assert_is(client, "ann")

    async def test_it_enters_with_a_token_in_its_headers(self):
        for source, headers in HEADERS.items():
            with self.subTest(source):
                client = await self.open(headers=headers(token("ann")))
                await self.assert_is(client, "ann")

    async def test_it_is_refused_a_cookie_from_another_origin_as_a_guest_too(self):
        for namespace in ("/", "/guest"):
            headers = {"Cookie": f"token={token('ann')}", "Origin": "http://evil.example"}
            await self.assert_refused("origin_not_allowed", namespace, headers=headers)

    async def test_it_is_refused_two_different_tokens(self):
        await self.assert_refused(
            "ambiguous_credentials",
            auth={"token": token("ann")},
            headers={"X-Auth-Token": token("bob")},
        )

    async def test_it_is_refused_a_bad_token(self):
        for what, (code, make) in BAD_TOKENS.items():
            for namespace in ("/", "/admin"):
                with self.subTest(what, namespace=namespace):
                    await self.assert_refused(code, namespace, auth={"token": make()})

    async def test_it_may_not_have_its_token_in_the_query(self):
        await self.assert_refused("credentials_required", url=f"{URL}?token={token('ann')}")

    async def test_it_is_a_guest_without_a_token_where_guests_are_welcome(self):
        client = await self.open(namespaces=["/guest", "/public"])
        for namespace in ("/guest", "/public"):
            await self.assert_is(client, None, namespace, expires_at=None, rooms=[])
        await self.assert_refused("invalid_token", "/guest", auth={"token": "garbage"})

    async def test_it_is_looked_at_by_the_header_alone_where_that_is_wanted(self):
        auth = {"token": token("ann")}
        await self.assert_refused("missing_authorization_header", "/header", auth=auth)
        headers = {"Authorization": f"Bearer {token('bob')}"}
        client = await self.open(namespaces="/header", headers=headers)
        await self.assert_is(client, "bob", "/header")

    async def test_it_is_let_in_by_its_second_word(self):
        for namespace in ("/two-trip", "/either"):
            client = await self.open(namespaces=namespace)
            exp = now() + 500
            await self.authenticate(client, token("ann", exp=exp), namespace)
            await self.assert_is(client, "ann", namespace, expires_at=exp, rooms=[])

    async def test_it_is_answered_by_an_ack_too_if_it_asks_for_one(self):
        client = await self.open(namespaces="/two-trip")
        (answer,) = await ask(client, "authenticate", {"token": token("ann")}, namespace="/two-trip")
        self.assertIn(answer["expires_in"], range(590, 601))
        await self.assert_is(client, "ann", "/two-trip")

    async def test_it_is_unauthorized_with_a_bad_token_and_out_once_it_has_heard_so(self):
        for what, (code, make) in BAD_TOKENS.items():
            with self.subTest(what):
                client = self.client(reconnection=False)
                unauthorized = Inbox(client, "unauthorized", "/two-trip")
                gone = Inbox(client, "disconnect", "/two-trip")
                await self.join(client, namespaces="/two-trip")
                await client.emit("authenticate", {"token": make()}, namespace="/two-trip")
                # This client acknowledges by itself when its handler returns.
                await self.assert_unauthorized(unauthorized, code)
                self.assertIn(await gone.next(), ENDS)

    async def test_it_is_welcome_with_a_good_token_after_a_bad_one(self):
        client = self.client()
        authenticated = Inbox(client, "authenticated", "/two-trip")
        handled = asyncio.Event()

        async def unauthorized(error):
            self.assertEqual(error["data"]["code"], "invalid_token")
            await client.emit("authenticate", {"token": token("ann")}, namespace="/two-trip")
            self.assertEqual(await authenticated.next(), ())
            # Only when this returns is the failure acknowledged, which ends nobody any more.
            handled.set()

        client.on("unauthorized", unauthorized, namespace="/two-trip")
        await self.join(client, namespaces="/two-trip")
        await client.emit("authenticate", {"token": "garbage"}, namespace="/two-trip")
        await within(handled.wait())
        await self.assert_is(client, "ann", "/two-trip")

    async def test_it_hears_and_does_nothing_while_it_waits(self):
        member, waiting = self.client(), self.client()
        own = Inbox(member, "heard", "/two-trip")
        heard = Inbox(waiting, "heard", "/two-trip")
        for client in (member, waiting):
            await self.join(client, namespaces="/two-trip")
        await self.authenticate(member, token("ann"))
        answers = []
        for smuggled in [("shout", ("smuggled",)), ("join", ("red",)), ("whoami", ())]:
            await waiting.emit(*smuggled, namespace="/two-trip", callback=answers.append)
        await ask(member, "join", "red", namespace="/two-trip")
        for event, *arguments in [
            ("shout", "for all"),
            ("roomcast", waiting.get_sid("/two-trip"), "for this one"),
            ("roomcast", "red", "for the room"),
        ]:
            await member.emit(event, tuple(arguments), namespace="/two-trip")
        self.assertEqual(await own.take(2), ["for all", "for the room"])

        await self.authenticate(waiting, token("bob"))
        await self.assert_is(waiting, "bob", "/two-trip", rooms=[])
        await waiting.emit("shout", "allowed", namespace="/two-trip")
        self.assertEqual(await own.next(), ("allowed",))
        self.assertEqual(await heard.next(), ("allowed",))
        self.assertEqual(answers, [])

    async def test_it_speaks_the_older_dialect(self):
        client = self.client()
        authenticated = Inbox(client, "authenticated", "/legacy")
        await self.join(client, namespaces="/legacy")
        await client.emit("authentication", {"token": token("ann")}, namespace="/legacy")
        self.assertEqual(await authenticated.next(), (True,))
        await self.assert_is(client, "ann", "/legacy")

    async def test_it_cannot_become_another_with_anothers_token(self):
        client = self.client()
        unauthorized = Inbox(client, "unauthorized")
        await self.join(client, auth={"token": token("ann")})
        await client.emit("authenticate", {"token": token("bob")})
        await self.assert_unauthorized(unauthorized, "identity_mismatch")
        await self.assert_is(client, "ann")

    async def test_it_is_ended_when_its_subject_is_revoked_and_stays_out(self):
        sub = f"revoked by {self.way}"
        auth = {"token": token(sub)}
        client = self.client(reconnection=False)
        unauthorized, gone = Inbox(client, "unauthorized"), Inbox(client, "disconnect")
        await self.join(client, auth=auth)
        guest = await self.open(namespaces="/public")
        self.assertEqual(await ask(guest, "revoke", sub, namespace="/public"), ())
        await self.assert_unauthorized(unauthorized, "token_revoked")
        self.assertIn(await gone.next(), ENDS)
        await self.assert_refused("token_revoked", auth=auth)

    @unittest.skipIf(IS_REFERENCE, LATE_ACKS)
    async def test_it_keeps_what_needs_no_token_when_its_subject_is_revoked(self):
        sub = f"half revoked by {self.way}"
        client = self.client()
        places = ["/", "/admin", "/guest"]
        told = [Inbox(client, "unauthorized", place) for place in places]
        gone = [Inbox(client, "disconnect", place) for place in places]
        await self.join(client, namespaces=[*places, "/public"], auth={"token": token(sub)})
        await ask(client, "revoke", sub, namespace="/public")
        for unauthorized, ended in zip(told, gone):
            await self.assert_unauthorized(unauthorized, "token_revoked")
            self.assertEqual(await ended.next(), ("server disconnect",))
        await self.assert_is(client, None, "/public")
        self.assertEqual(list(client.namespaces), ["/public"])


class ByPolling(Authenticated, AuthCase):
    way = POLLING


class ByWebSocket(Authenticated, AuthCase):
    way = WEBSOCKET


class ByUpgrade(Authenticated, AuthCase):
    way = UPGRADE


class AsTimePasses(AuthCase):
    """What takes its time is waited for all at once, by every way."""

    async def test_it_is_ended_or_told_in_time(self):
        checks = [
            self.is_ended_when_it_never_says_who_it_is,
            self.is_told_that_its_token_ends_renews_it_and_stays,
            self.comes_back_with_a_fresh_token_when_its_own_ends,
        ]
        if not IS_REFERENCE:
            checks.append(self.keeps_what_needs_no_token_when_it_never_says_who_it_is)
        ways = (POLLING, WEBSOCKET, UPGRADE)
        await asyncio.gather(*(check(way) for check in checks for way in ways))

    async def is_ended_when_it_never_says_who_it_is(self, way):
        client = self.client(reconnection=False)
        unauthorized = Inbox(client, "unauthorized", "/two-trip")
        gone = Inbox(client, "disconnect", "/two-trip")
        since = time.monotonic()
        await self.join(client, namespaces="/two-trip", way=way)
        await self.assert_unauthorized(unauthorized, "auth_timeout")
        self.assertAlmostEqual(time.monotonic() - since, TIMEOUT_SECONDS, delta=SLACK_SECONDS)
        self.assertIn(await gone.next(), ENDS)

    async def is_told_that_its_token_ends_renews_it_and_stays(self, way):
        exp, later = now() + SHORT_SECONDS, now() + 500
        old = {"token": token("ann", exp=exp)}
        renewing, careless = self.client(), self.client(reconnection=False)
        renewals = asyncio.Queue()

        # As the guide has it.
        @renewing.on("token_expiring")
        async def renew(notice):
            answer = await renewing.call("authenticate", {"token": token("ann", exp=later)})
            await renewals.put((notice, answer))

        unauthorized = Inbox(careless, "unauthorized")
        await self.join(renewing, way=way, auth=old)
        await self.join(careless, way=way, auth=old)
        notice, answer = await within(renewals.get())
        self.assertIn(notice["expires_in"], range(SHORT_SECONDS))
        self.assertGreater(answer["expires_in"], 400)

        # The old token ends, and with it the client that has no other.
        await self.assert_unauthorized(unauthorized, "token_expired")
        await self.assert_is(renewing, "ann", expires_at=later)

    async def comes_back_with_a_fresh_token_when_its_own_ends(self, way):
        exp, later = now() + SHORT_SECONDS, now() + 500
        tokens = [token("ann", exp=exp), token("ann", exp=later)]
        client = self.client()
        joined, gone = Inbox(client, "connect"), Inbox(client, "disconnect")
        unauthorized = Inbox(client, "unauthorized")
        await self.join(client, way=way, auth=lambda: {"token": tokens.pop(0)})
        await joined.next()
        await self.assert_unauthorized(unauthorized, "token_expired")
        if way == POLLING:
            # What the server says by polling when it closes, this client takes for a goodbye.
            self.assertEqual(await gone.next(), ("server disconnect",))
            client = await self.join(self.client(), way=way, auth={"token": tokens.pop(0)})
        else:
            self.assertEqual(await gone.next(), ("transport error",))
            await joined.next()
        await self.assert_is(client, "ann", expires_at=later)

    async def keeps_what_needs_no_token_when_it_never_says_who_it_is(self, way):
        client = self.client()
        gone = Inbox(client, "disconnect", "/two-trip")
        await self.join(client, namespaces=["/public", "/two-trip"], way=way)
        self.assertEqual(await gone.next(), ("server disconnect",))
        await self.assert_is(client, None, "/public")


if __name__ == "__main__":
    unittest.main()
