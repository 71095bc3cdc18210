"""A gRPC service of the real library, with bytes for messages, and channels to it through the proxy."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from .wait import DEADLINE

SERVICE = "test.v1.Echo"
HOST = "grpc.test"


class EchoServer:
    """What each method saw is kept by the call's word (metadata `word`): `seen(word)` waits for it."""

    def __init__(self, certificate):
        pem = Path(certificate.path).read_bytes()
        at = pem.index(b"-----BEGIN PRIVATE KEY")
        credentials = grpc.ssl_server_credentials([(pem[at:], pem[:at])])
        self.pool = ThreadPoolExecutor(16)
        self.server = grpc.server(self.pool)
        self.changed = threading.Condition()
        self.calls = {}
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "Collect": grpc.stream_unary_rpc_method_handler(self._collect),
            "Count": grpc.unary_stream_rpc_method_handler(self._count),
            "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
            "FailLate": grpc.unary_stream_rpc_method_handler(self._fail_late),
            "Wait": grpc.unary_stream_rpc_method_handler(self._wait),
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()

    @property
    def authority(self):
        return f"{HOST}:{self.port}"

    def _note(self, context, **facts):
        metadata = dict(context.invocation_metadata())
        word = metadata.get("word", "")
        with self.changed:
            call = self.calls.setdefault(word, {"metadata": metadata})
            call.update(facts)
            self.changed.notify_all()
        return word

    def wait_for(self, word, *keys):
        """The call's facts, once it has all of these."""
        def is_there():
            return word in self.calls and all(key in self.calls[word] for key in keys)
        with self.changed:
            assert self.changed.wait_for(is_there, DEADLINE), f"{word} at the server: {self.calls.get(word)}"
            return dict(self.calls[word])

    # the methods

    def _unary(self, request, context):
        self._note(context, remaining=context.time_remaining())
        context.set_trailing_metadata((("x-trailer", "t"), ("bytes-bin", b"\x00\xff")))
        return request

    def _collect(self, requests, context):
        return b"".join(requests)

    def _count(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number

    def _chat(self, requests, context):
        for request in requests:
            yield request.upper()

    def _fail(self, request, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no, \N{SNOWMAN}")

    def _fail_late(self, request, context):
        yield b"first"
        context.abort(grpc.StatusCode.DATA_LOSS, "late")

    def _wait(self, request, context):
        gone = threading.Event()

        def end():  # not behind the yield: a call that ends before its first answer has gone is never taken up there
            self._note(context, ended=True)
            gone.set()
        context.add_callback(end)
        self._note(context, remaining=context.time_remaining())
        yield b"begun"
        gone.wait(DEADLINE)

    def close(self):
        self.server.stop(None).wait(DEADLINE)
        self.pool.shutdown(wait=True)


class Caller:
    """A channel that knows the proxy by its option, and trusts its CA alone."""

    def __init__(self, leash, authority, proxy_option=True):
        options = [("grpc.http_proxy", leash.url), ("grpc.use_local_subchannel_pool", 1)] if proxy_option else []
        credentials = grpc.ssl_channel_credentials(Path(leash.ca_file).read_bytes())
        self.channel = grpc.secure_channel(authority, credentials, options)

    def unary(self, method, request, word, **more):
        return self.channel.unary_unary(f"/{SERVICE}/{method}").with_call(request, **self._options(word, more))

    def collect(self, method, requests, word, **more):
        return self.channel.stream_unary(f"/{SERVICE}/{method}")(requests, **self._options(word, more))

    def stream(self, method, request, word, **more):
        return self.channel.unary_stream(f"/{SERVICE}/{method}")(request, **self._options(word, more))

    def chat(self, method, requests, word, **more):
        return self.channel.stream_stream(f"/{SERVICE}/{method}")(requests, **self._options(word, more))

    @staticmethod
    def _options(word, more):
        options = {"timeout": DEADLINE, "metadata": (("word", word),)}
        options.update(more)
        return options

    def close(self):
        self.channel.close()
