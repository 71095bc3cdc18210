"""Reading HTTP/1 messages off a socket, byte by byte where it matters."""


class Closed(Exception):
    """The peer has closed before the message was whole."""


class Head:
    """A start line with its fields, in order and as received."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.headers.append((name, value.strip()))

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


class Request(Head):
    def __init__(self, raw):
        super().__init__(raw)
        parts = self.start.split(" ")
        self.method, self.target, self.version = (parts + ["", "", ""])[:3]
        self.body = b""
        self.trailers = []
        self.is_whole = False  # its body has been read to its end


class Response(Head):
    def __init__(self, raw):
        super().__init__(raw)
        parts = self.start.split(" ", 2)
        self.version = parts[0]
        self.status = int(parts[1])
        self.reason = parts[2] if len(parts) > 2 else ""
        self.body = b""
        self.trailers = []
        self.interim = []  # the 1xx heads before it

    def __repr__(self):
        return f"<{self.start!r} {self.body[:200]!r}>"


class Reader:
    """Buffers what `recv` (which gives b"" at the end) delivers."""

    def __init__(self, recv):
        self.recv = recv
        self.buffer = bytearray()

    def fill(self):
        piece = self.recv()
        self.buffer += piece
        return bool(piece)

    def until(self, token, limit=1 << 20):
        start = 0
        while True:
            at = self.buffer.find(token, start)
            if at >= 0:
                out = bytes(self.buffer[:at + len(token)])
                del self.buffer[:at + len(token)]
                return out
            start = max(0, len(self.buffer) - len(token) + 1)
            if len(self.buffer) > limit:
                raise AssertionError(f"no {token!r} in {limit} bytes")
            if not self.fill():
                raise Closed(bytes(self.buffer))

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise Closed(bytes(self.buffer))
        out = bytes(self.buffer[:count])
        del self.buffer[:count]
        return out

    def some(self):
        """What is there, or the next piece; b"" at the end."""
        if not self.buffer:
            self.fill()
        out = bytes(self.buffer)
        self.buffer.clear()
        return out

    def to_end(self):
        while self.fill():
            pass
        return self.some_buffered()

    def some_buffered(self):
        out = bytes(self.buffer)
        self.buffer.clear()
        return out

    def chunk(self):
        """The next chunk's bytes; b"" for the last one."""
        line = self.until(b"\r\n")
        size = int(line.strip().split(b";")[0], 16)
        if size == 0:
            return b""
        data = self.exactly(size)
        if self.exactly(2) != b"\r\n":
            raise AssertionError("a chunk without its CR LF")
        return data

    def trailers(self):
        fields = []
        while True:
            line = self.until(b"\r\n")
            if line == b"\r\n":
                return fields
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            fields.append((name, value.strip()))

    def body(self, head, has_body=True, until_close=False):
        """Reads the body that the head announces and keeps it in the head."""
        if not has_body:
            return head
        if "chunked" in (head.get("transfer-encoding") or "").lower():
            pieces = []
            while True:
                piece = self.chunk()
                if not piece:
                    break
                pieces.append(piece)
            head.body = b"".join(pieces)
            head.trailers = self.trailers()
        elif head.get("content-length") is not None:
            head.body = self.exactly(int(head.get("content-length")))
        elif until_close:
            head.body = self.to_end()
        return head

    def response(self, method="GET"):
        """The final response, with the interim ones before it."""
        interim = []
        while True:
            head = Response(self.until(b"\r\n\r\n"))
            if 100 <= head.status < 200 and head.status != 101:
                interim.append(head)
                continue
            head.interim = interim
            has_body = method != "HEAD" and head.status not in (101, 204, 304) and not (
                method == "CONNECT" and head.status // 100 == 2)
            return self.body(head, has_body, until_close=True)
