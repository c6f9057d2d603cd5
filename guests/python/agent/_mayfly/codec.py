"""The encoding of messages, as host/op has it: little endian, text and bytes
with a length before them."""

from struct import Struct

_U32 = Struct("<I")
_F64 = Struct("<d")


class Writer:
    def __init__(self):
        self.parts = bytearray()

    def u8(self, n):
        self.parts.append(n)
        return self

    def u32(self, n):
        self.parts += _U32.pack(n)
        return self

    def f64(self, n):
        self.parts += _F64.pack(n)
        return self

    def bytes(self, b):
        self.parts += _U32.pack(len(b))
        self.parts += b
        return self

    def str(self, s):
        return self.bytes(s.encode("utf-8", "replace"))

    def done(self):
        return bytes(self.parts)


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def u8(self):
        self.at += 1
        return self.data[self.at - 1]

    def u32(self):
        self.at += 4
        return _U32.unpack_from(self.data, self.at - 4)[0]

    def f64(self):
        self.at += 8
        return _F64.unpack_from(self.data, self.at - 8)[0]

    def bytes(self):
        n = self.u32()
        self.at += n
        return self.data[self.at - n : self.at]

    def str(self):
        return self.bytes().decode("utf-8", "replace")


def error(data, at):
    from .host import HostError

    r = Reader(data, at)
    return HostError(r.str(), r.str(), r.str())
