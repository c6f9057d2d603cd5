"""---
rows = [19, 20]
attack = "forged messages to the host through the interpreter's own door"
outcomes = ["ok", "exception"]
absent = "HostPanic|internalError"
---"""
import os, random, struct
import _host
random.seed(1)
for i in range(3000):
    verb = random.choice([0, 1, 2, 3, 4, 255])
    body = struct.pack("<BIII", verb, random.choice([1, 2, 5, 7, 12, 20, 21, 64, 65, 66, 67, 2**31, random.getrandbits(32)]), random.getrandbits(random.choice([3, 32])), random.getrandbits(random.choice([3, 32]))) + os.urandom(random.randrange(40))
    if verb == 2:
        body = struct.pack("<Bd", 2, random.choice([0, -0.0, 1e-9, float("nan")])) + os.urandom(random.randrange(9))
    try:
        _host.call(body[: random.randrange(len(body) + 1)])
    except Exception:
        pass
