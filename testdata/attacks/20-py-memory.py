"""---
rows = [20]
attack = "reads and writes outside of what ctypes, buffers and memoryviews own"
outcomes = ["ok", "exception", "exceededMemory"]
absent = "HostPanic"
---"""
import array, gc, sys
found = []
try:
    import ctypes
    for address in (0, 1, 2**31, 2**32 - 8, -1):
        try:
            ctypes.string_at(address, 64)
        except BaseException as e:
            found.append(type(e).__name__)
except ImportError:
    found.append("no ctypes")
a = array.array("b", [0] * 10)
m = memoryview(a)
try:
    a.append(1)
except BufferError:
    pass
import numpy as np
x = np.lib.stride_tricks.as_strided(np.zeros(4), shape=(1000,), strides=(8,))
x.sum()
