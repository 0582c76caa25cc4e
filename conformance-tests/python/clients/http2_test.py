"""WebSockets on streams of HTTP/2 (RFC 8441), frame by frame, by the packages h2 and wsproto.

EXAMPLE_URL names the example `http2`, and ROOT_CERTIFICATE who is trusted; `socketio/tests/examples.rs` runs it.
"""

import os
import socket
import ssl
import unittest
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

PATIENCE_SECONDS = 60
PORT = urlsplit(os.environ["EXAMPLE_URL"]).port
ROOT = os.environ["ROOT_CERTIFICATE"]
TARGET = "/socket.io/?EIO=4&transport=websocket"


class Client:
    """One connection. `pump` hands what arrives to its streams."""

    def __init__(self, test):
        context = ssl.create_default_context(cafile=ROOT)
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection(("127.0.0.1", PORT), PATIENCE_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        test.addCleanup(self.socket.close)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.streams = {}
        self.events = []
        self.flush()
        self.until(lambda: any(isinstance(event, RemoteSettingsChanged) for event in self.events))

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def pump(self):
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        for event in self.h2.receive_data(data):
            self.events.append(event)
            stream = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if stream:
                    stream.received(event.data)
            elif stream and isinstance(event, ResponseReceived):
                stream.headers = dict(event.headers)
            elif stream and isinstance(event, StreamEnded):
                stream.is_ended = True
            elif stream and isinstance(event, StreamReset):
                stream.reset = event.error_code
        self.flush()

    def until(self, holds):
        while not holds():
            self.pump()

    def get(self, path):
        stream = Stream(self, [(":method", "GET"), (":path", path)], ends=True)
        self.until(lambda: stream.is_ended)
        return stream

    def connect(self, **changed):
        """Asks for a WebSocket; a header of None is left out."""
        headers = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":path": TARGET,
            "sec-websocket-version": "13",
        }
        headers |= changed.pop("headers", {})
        return Stream(self, [header for header in headers.items() if header[1] is not None])

    def join(self, room=None):
        """A WebSocket that is in the namespace `/`, and in a room."""
        stream = self.connect()
        self.until(lambda: stream.headers)
        assert stream.headers[":status"] == "200", stream.headers
        assert "sec-websocket-accept" not in stream.headers
        assert stream.text().startswith("0{")
        stream.send("40")
        assert stream.text().startswith("40{")
        if room:
            stream.send(f'420["join","{room}"]')
            assert stream.text() == "430[true]"
        return stream


class Stream:
    def __init__(self, client, headers, ends=False):
        self.client = client
        self.id = client.h2.get_next_available_stream_id()
        self.headers = None
        self.body = b""
        self.is_ended = False
        self.reset = None
        self.websocket = Connection(ConnectionType.CLIENT)
        self.frames = []
        self.is_websocket = not ends
        client.streams[self.id] = self
        common = [(":scheme", "https"), (":authority", f"localhost:{PORT}")]
        pseudo = [header for header in headers if header[0].startswith(":")]
        others = [header for header in headers if not header[0].startswith(":")]
        client.h2.send_headers(self.id, pseudo + common + others, end_stream=ends)
        client.flush()

    def received(self, data):
        if not self.is_websocket or (self.headers and self.headers[":status"] != "200"):
            self.body += data
            return
        # The end may come as an empty frame of HTTP/2, when the WebSocket has ended already.
        if data:
            self.websocket.receive_data(data)
        self.frames += self.websocket.events()

    def frame(self):
        self.client.until(lambda: self.frames or self.is_ended or self.reset is not None)
        return self.frames.pop(0) if self.frames else None

    def text(self):
        whole = ""
        while True:
            frame = self.frame()
            assert isinstance(frame, TextMessage), frame
            whole += frame.data
            if frame.message_finished:
                return whole

    def write(self, data):
        """As far as the windows of HTTP/2 let it, and then as they open."""
        h2 = self.client.h2
        while data:
            room = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size)
            if room == 0:
                self.client.pump()
                continue
            h2.send_data(self.id, data[:room])
            data = data[room:]
            self.client.flush()

    def send(self, text):
        self.write(self.websocket.send(TextMessage(data=text)))

    def echo(self, text):
        self.send(f'421["echo","{text}"]')
        assert self.text() == f'431["{text}"]'


class Http2(unittest.TestCase):
    def both(self, client, other=None):
        """Two in a room of this test's own."""
        return client.join(self.id()), (other or client).join(self.id())

    def test_it_is_announced_at_once_and_holds(self):
        client = Client(self)
        first = client.events[0]
        self.assertIsInstance(first, RemoteSettingsChanged)
        announced = first.changed_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self.assertEqual(announced.new_value, 1)
        client.join().echo("€")
        spoken = client.get("/spoken").body.decode()
        self.assertIn("HTTP/2.0 CONNECT /socket.io/ websocket\n", spoken)

    def test_a_long_message_goes_both_ways_through_the_windows(self):
        stream = Client(self).join()
        stream.echo("x" * 900_000)

    def test_pings_of_both_layers_are_answered(self):
        client = Client(self)
        stream = client.join()
        client.h2.ping(b"12345678")
        client.flush()
        client.until(lambda: any(isinstance(event, PingAckReceived) for event in client.events))
        stream.write(stream.websocket.send(Ping(payload=b"there?")))
        answer = stream.frame()
        self.assertIsInstance(answer, Pong)
        self.assertEqual(answer.payload, b"there?")

    def test_a_close_is_answered_and_ends_the_stream_alone(self):
        client = Client(self)
        leaving, staying = self.both(client)
        leaving.write(leaving.websocket.send(CloseConnection(code=1000)))
        self.assertIsInstance(leaving.frame(), CloseConnection)
        client.until(lambda: leaving.is_ended)
        self.assertTrue(staying.text().startswith('42["left",'))
        staying.echo("here")

    def test_half_a_close_ends_the_session_in_order(self):
        client = Client(self)
        leaving, staying = self.both(client)
        leaving.send('421["echo","last"]')
        client.h2.end_stream(leaving.id)
        client.flush()
        self.assertEqual(leaving.text(), '431["last"]')
        client.until(lambda: leaving.is_ended or leaving.reset is not None)
        self.assertIn(leaving.reset, (None, ErrorCodes.NO_ERROR))
        self.assertTrue(staying.text().startswith('42["left",'))
        staying.echo("here")

    def test_a_reset_in_the_midst_of_a_message_ends_its_session_alone(self):
        client = Client(self)
        leaving, staying = self.both(client)
        message = leaving.websocket.send(TextMessage(data='421["echo","never whole"]'))
        leaving.write(message[:10])
        client.h2.reset_stream(leaving.id, ErrorCodes.CANCEL)
        client.flush()
        self.assertTrue(staying.text().startswith('42["left",'))
        staying.echo("here")

    def test_after_a_goaway_those_who_are_there_are_served(self):
        client = Client(self)
        stream, other = self.both(client, Client(self))
        # h2 itself sends nothing after a GOAWAY, which only says that no streams of the server's are taken.
        goaway = (8).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + bytes(4) + bytes(4)
        client.socket.sendall(goaway)
        stream.echo("still here")
        client.socket.close()
        self.assertTrue(other.text().startswith('42["left",'))

    def test_a_connection_that_breaks_ends_all_its_sessions(self):
        client = Client(self)
        _, other = self.both(client, Client(self))
        for _ in range(2):
            client.join(self.id())
        client.socket.close()
        for _ in range(3):
            self.assertTrue(other.text().startswith('42["left",'))

    def test_many_streams_are_as_many_sessions_and_one_too_many_is_refused(self):
        client = Client(self)
        most = client.h2.remote_settings.max_concurrent_streams
        streams = [client.join(self.id()) for _ in range(most)]
        for number, stream in enumerate(streams):
            stream.echo(str(number))
        streams[0].send(f'42["say","{self.id()}","to everybody"]')
        for stream in streams:
            self.assertEqual(stream.text(), '42["said","to everybody"]')

        # Past what the server announced, which this side of the connection has to be talked into.
        client.h2.remote_settings._settings[SettingCodes.MAX_CONCURRENT_STREAMS][0] = most + 1
        refused = client.connect()
        client.until(lambda: refused.reset is not None)
        self.assertEqual(refused.reset, ErrorCodes.REFUSED_STREAM)
        streams[-1].echo("still here")

    def test_what_is_no_handshake_is_refused(self):
        client = Client(self)
        for headers, status in [
            ({"sec-websocket-version": "8"}, "400"),
            ({"sec-websocket-version": None}, "400"),
            ({":path": "/socket.io/?EIO=4&transport=polling"}, "400"),
            ({":path": "/elsewhere"}, "404"),
            ({":protocol": "connect-udp", "sec-websocket-version": None}, "400"),
        ]:
            stream = client.connect(headers=headers)
            client.until(lambda: stream.is_ended or stream.reset is not None)
            self.assertEqual(stream.headers[":status"], status, headers)
        client.join().echo("here")

    def test_a_frame_that_is_not_masked_ends_the_session(self):
        client = Client(self)
        stream = client.join()
        stream.write(b"\x81\x012")
        client.until(lambda: stream.is_ended or stream.reset is not None)
        client.join().echo("here")


if __name__ == "__main__":
    unittest.main()
