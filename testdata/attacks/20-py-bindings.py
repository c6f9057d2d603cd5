"""---
rows = [20, 21]
attack = "the operations of bindings, called past the library with anything"
value = '"ok"'
[request.bindings.KV]
type = "kv_namespace"
namespace = "raw"
prefix = "in/"
read_only = true
---"""
import struct
import _host

refused = 0
for handle in (0, 1, 2, 7, 1 << 31, (1 << 32) - 1):
    for method in (0, 1, 2, 3, 4, 255):
        for arguments in (b"", b"\xff" * 40, struct.pack("<I", 1) + struct.pack("<I", 6) + b"secret" + b"\1", b"\xff\xff\xff\xff"):
            for body in (b"\0\0\0\0\0", b"\1\3\0\0\0abc", b"\2\0\0\0\0", b"\3\0\0\0\0", b"\1\xff\xff\xff\xff", b""):
                frame = struct.pack("<BII", 1, 76, 1000 + refused) + struct.pack("<IB", handle, method) + struct.pack("<I", len(arguments)) + arguments + body
                answer = _host.call(frame)
                refused += 1
assert env.KV.get("a") is None
try:
    env.KV.put("a", "b")
    raise SystemExit("written")
except Exception as error:
    assert "read-only" in str(error), error
"ok"
