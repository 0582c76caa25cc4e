"""aiohttp's WebSockets, which python-socketio uses, with all that they can offer of permessage-deflate, against profile
`socket` with DEFLATE_THRESHOLD=64.
"""

import json
import unittest

import aiohttp
from support import URL, within

PATH = "/socket.io/?EIO=4&transport=websocket"


def text(length, seed=0):
    """Text that is neither all the same nor noise."""
    made = "".join(f'{{"id":{n * n},"name":"n{n % 7}"}},' for n in range(seed, seed + length // 10 + 10))
    return made[:length]


MESSAGES = [
    "", "x", text(40), text(600), text(600), text(5_000), text(33_000), text(33_000), text(40_000, 5), text(300_000), text(600),
]


class Deflate(unittest.IsolatedAsyncioTestCase):
    async def talk(self, window_bits):
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(URL + PATH, compress=window_bits) as socket:
                self.assertEqual(socket.compress > 0, window_bits > 0)
                self.assertTrue((await within(socket.receive_str())).startswith("0{"))
                await socket.send_str("40")
                self.assertTrue((await within(socket.receive_str())).startswith("40{"))
                self.assertTrue((await within(socket.receive_str())).startswith('42["auth"'))
                for message in MESSAGES * 2:
                    await socket.send_str("42" + json.dumps(["message", message]))
                    back = await within(socket.receive_str())
                    self.assertEqual(json.loads(back.removeprefix("42")), ["message-back", message])

    async def test_every_window_is_understood(self):
        for window_bits in range(9, 16):
            with self.subTest(window_bits=window_bits):
                await self.talk(window_bits)

    async def test_a_client_that_offers_nothing_is_served(self):
        await self.talk(0)


if __name__ == "__main__":
    unittest.main()
