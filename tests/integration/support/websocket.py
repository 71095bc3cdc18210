"""WebSocket frames (RFC 6455), as either side would write and read them."""

import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", masked=True, final=True):
    head = bytes([(0x80 if final else 0) | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mask_bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def read_frame(reader):
    first, second = reader.exactly(2)
    length = second & 0x7F
    if length == 126:
        length = struct.unpack(">H", reader.exactly(2))[0]
    elif length == 127:
        length = struct.unpack(">Q", reader.exactly(8))[0]
    mask = reader.exactly(4) if second & 0x80 else None
    payload = reader.exactly(length) if length else b""
    if mask:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return first & 0x0F, payload
