"""---
rows = [2]
attack = "one builtin that works for long: hash"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import hashlib
hashlib.pbkdf2_hmac("sha256", b"x", b"y", 50_000_000)
