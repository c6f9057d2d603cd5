"""---
rows = [5]
attack = "depth without end: native"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu"]
[request.limits]
cpu_ms = 4000
memory_mb = 128
---"""
import sys
sys.setrecursionlimit(10**9)

class A:
    def __getattr__(self, name):
        return getattr(self, name + "x")

class B:
    def __repr__(self):
        return repr(self)

class C(dict):
    def __missing__(self, key):
        return self[key]

for f in (lambda: A().x, lambda: repr(B()), lambda: C()[1]):
    try:
        f()
    except RecursionError:
        pass
l = []
for _ in range(1_000_000):
    l = [l]
repr(l)
