"""HTTP/2, both sides: a client that may break every rule, and a recording origin."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

from .http import Closed
from .origin import Origin

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class H2Response:
    def __init__(self):
        self.status = None
        self.headers = []
        self.body = bytearray()
        self.trailers = []
        self.interim = []  # the field lists of 1xx heads
        self.is_ended = False
        self.reset = None  # error code of RST_STREAM

    def get(self, name):
        return next((value for key, value in self.headers if key == name), None)


class H2Client:
    """Speaks over a Conn whose TLS chose h2. What it sends is not validated."""

    def __init__(self, conn, window=None, is_automatic=True):
        self.conn = conn
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False,
            validate_inbound_headers=False))
        self.responses = {}
        self.goaway = None
        self.is_automatic = is_automatic  # opens the windows as data comes ...
        self.held = {}  # ... but of these streams: bytes that have come and were not given credit for
        if window is not None:
            self.h2.local_settings[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
            self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.conn.send(data)

    def request(self, authority, path, method="GET", headers=(), body=None, ends=True, scheme="https"):
        """Begins a stream; returns its id."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)] + list(headers)
        return self.raw_request(fields, body, ends, stream)

    def raw_request(self, fields, body=None, ends=True, stream=None):
        stream = stream or self.h2.get_next_available_stream_id()
        self.responses[stream] = H2Response()
        self.h2.send_headers(stream, fields, end_stream=ends and body is None)
        self.flush()
        if body is not None:
            self.send_body(stream, body, ends)
        return stream

    def send_body(self, stream, body, ends=True):
        at = 0
        while at < len(body):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body) - at)
            if room <= 0:
                self.step()
                continue
            self.h2.send_data(stream, body[at:at + room])
            at += room
            self.flush()
        if ends:
            self.h2.end_stream(stream)
            self.flush()

    def widen(self, size):
        """More room for the connection as a whole, so that a stream that is held does not hold the others."""
        self.h2.increment_flow_control_window(size)
        self.flush()

    def hold(self, stream):
        self.held[stream] = 0

    def let_go(self, stream):
        self.h2.acknowledge_received_data(self.held.pop(stream), stream)
        self.flush()

    def step(self):
        """Takes in what comes next; Closed at the end of the connection."""
        data = self.conn.reader.some()
        if not data:
            raise Closed(b"")
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()

    def take(self, event):
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
            return
        response = self.responses.get(getattr(event, "stream_id", None))
        if response is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = event.headers
            response.status = int(response.get(":status"))
        elif isinstance(event, h2.events.InformationalResponseReceived):
            response.interim.append(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            if event.stream_id in self.held:
                self.held[event.stream_id] += event.flow_controlled_length
            elif self.is_automatic:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            response.is_ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = event.error_code

    def wait(self, condition):
        while not condition():
            self.step()

    def response(self, stream):
        """The whole answer, or the reset."""
        answer = self.responses[stream]
        self.wait(lambda: answer.is_ended or answer.reset is not None)
        return answer

    def get(self, authority, path, **more):
        return self.response(self.request(authority, path, **more))

    def end(self):
        """Reads until the proxy has closed the connection."""
        try:
            while True:
                self.step()
        except Closed:
            return


class RawH2:
    """Frames as they are, from the preface on."""

    def __init__(self, conn):
        self.conn = conn
        self.encoder = Encoder()
        conn.send(PREFACE)

    def send(self, *frames):
        self.conn.send(b"".join(frame.serialize() if isinstance(frame, Frame) else frame for frame in frames))

    def frames(self):
        """Those that come, until the connection ends."""
        try:
            while True:
                head = self.conn.reader.exactly(9)
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(self.conn.reader.exactly(length)))
                yield frame
        except Closed:
            return


class H2Origin(Origin):
    """Answers each request by `answer(request) -> (status, headers, body)`; a request is a dict with fields, body, stream.
    `streams`: how many it allows at once on a connection."""

    def __init__(self, context, answer=None, streams=100):
        self.answer = answer or (lambda request: (200, [("content-type", "text/plain")], b"ok"))
        self.streams = streams
        super().__init__(context=context)

    def serve_connection(self, peer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        connection.initiate_connection()
        connection.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.streams})
        peer.sock.sendall(connection.data_to_send())
        open_requests, waiting = {}, {}
        while peer.is_open:
            data = peer.reader.some()
            if not data:
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    open_requests[event.stream_id] = {"fields": event.headers, "body": b"", "trailers": []}
                    with self.changed:
                        self.requests.append(open_requests[event.stream_id])
                        self.changed.notify_all()
                elif isinstance(event, h2.events.DataReceived):
                    open_requests[event.stream_id]["body"] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.TrailersReceived):
                    open_requests[event.stream_id]["trailers"] = event.headers
                elif isinstance(event, h2.events.StreamEnded):
                    status, fields, body = self.answer(open_requests[event.stream_id])
                    connection.send_headers(event.stream_id, [(":status", str(status))] + fields, end_stream=not body)
                    if body:
                        waiting[event.stream_id] = body
                elif isinstance(event, h2.events.StreamReset):
                    waiting.pop(event.stream_id, None)
            for stream in list(waiting):
                body = waiting[stream]
                while body:
                    room = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size, len(body))
                    if room <= 0:
                        break
                    connection.send_data(stream, body[:room], end_stream=room == len(body))
                    body = body[room:]
                if body:
                    waiting[stream] = body
                else:
                    del waiting[stream]
            peer.sock.sendall(connection.data_to_send())

    def by_path(self, path):
        with self.changed:
            return [request for request in self.requests if dict(request["fields"])[":path"] == path]


class H2WebSocketOrigin(H2Origin):
    """Takes WebSockets by extended CONNECT (RFC 8441) where `is_offering`, and over HTTP/1.1 what its scripts say.
    `talk(stream, bytes)` gets what a WebSocket brings and returns what is to go back; None ends the stream, "reset" breaks it."""

    def __init__(self, context, talk, is_offering=True, status=200, fields=(), settings_gate=None):
        self.talk = talk
        self.is_offering = is_offering
        self.status, self.fields = status, list(fields)
        self.settings_gate = settings_gate  # its SETTINGS wait for this
        self.resets = []
        super().__init__(context)

    def serve_connection(self, peer):
        if peer.sock.selected_alpn_protocol() != "h2":
            Origin.serve_connection(self, peer)
            return
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        if self.is_offering:
            connection.local_settings = h2.settings.Settings(client=False, initial_values={
                h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1, h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        if self.settings_gate is not None and not self.settings_gate(peer):
            return
        connection.initiate_connection()
        peer.sock.sendall(connection.data_to_send())
        waiting, is_ending = {}, set()
        while peer.is_open:
            data = peer.reader.some()
            if not data:
                return
            for event in connection.receive_data(data):
                stream = getattr(event, "stream_id", None)
                if isinstance(event, h2.events.RequestReceived):
                    request = {"fields": event.headers, "body": b"", "trailers": []}
                    with self.changed:
                        self.requests.append(request)
                        self.changed.notify_all()
                    is_websocket = dict(event.headers).get(":protocol") == "websocket"
                    opens = is_websocket and self.status == 200
                    connection.send_headers(stream, [(":status", str(self.status))] + self.fields, end_stream=not opens)
                    waiting[stream] = b""
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, stream)
                    back = self.talk(stream, event.data)
                    if back == "reset":
                        connection.reset_stream(stream, error_code=h2.errors.ErrorCodes.CANCEL)
                        waiting.pop(stream)
                    elif back is None:
                        is_ending.add(stream)
                    else:
                        waiting[stream] += back
                elif isinstance(event, h2.events.StreamEnded):
                    is_ending.add(stream)
                elif isinstance(event, h2.events.StreamReset):
                    waiting.pop(stream, None)
                    with self.changed:
                        self.resets.append(stream)
                        self.changed.notify_all()
            for stream in list(waiting):
                while waiting[stream]:
                    room = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size, len(waiting[stream]))
                    if room <= 0:
                        break
                    connection.send_data(stream, waiting[stream][:room])
                    waiting[stream] = waiting[stream][room:]
                if stream in is_ending and not waiting[stream]:
                    connection.end_stream(stream)
                    waiting.pop(stream)
            peer.sock.sendall(connection.data_to_send())


class RawH2Origin(Origin):
    """Speaks in frames: `script(wire)` gets each connection behind its preface."""

    def __init__(self, context, script):
        self.script = script
        super().__init__(context=context)

    def serve_connection(self, peer):
        assert peer.reader.exactly(len(PREFACE)) == PREFACE
        self.script(OriginWire(peer))


class OriginWire:
    def __init__(self, peer):
        self.peer = peer
        self.encoder, self.decoder = Encoder(), Decoder()

    def send(self, *frames):
        self.peer.sock.sendall(b"".join(frame.serialize() if isinstance(frame, Frame) else frame for frame in frames))

    def frames(self):
        try:
            while True:
                frame, length = Frame.parse_frame_header(memoryview(self.peer.reader.exactly(9)))
                frame.parse_body(memoryview(self.peer.reader.exactly(length)))
                yield frame
        except (Closed, OSError):
            return

    def requests(self):
        """(stream, path) of each request as it comes. SETTINGS are exchanged on the way."""
        self.send(SettingsFrame())
        for frame in self.frames():
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                self.send(SettingsFrame(flags={"ACK"}))
            elif isinstance(frame, HeadersFrame):
                fields = dict(self.decoder.decode(frame.data))
                yield frame.stream_id, fields[":path"]

    def head(self, stream, fields=(), status="200", ends=False, encoded=None):
        made = HeadersFrame(stream)
        made.data = self.encoder.encode([(":status", status)] + list(fields)) if encoded is None else encoded
        made.flags = {"END_HEADERS"} | ({"END_STREAM"} if ends else set())
        return made

    def body(self, stream, data=b"ok", ends=True):
        made = DataFrame(stream, data)
        made.flags = {"END_STREAM"} if ends else set()
        return made

    def answer(self, stream, data=b"ok"):
        self.send(self.head(stream), self.body(stream, data))
