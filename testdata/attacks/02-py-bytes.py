"""---
rows = [2]
attack = "one builtin that works for long: bytes"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
b = bytearray(40 << 20)
while True:
    b[:] = bytes(len(b))
