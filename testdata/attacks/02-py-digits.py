"""---
rows = [2]
attack = "one builtin that works for long: digits"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import sys
sys.set_int_max_str_digits(0)
str(3 ** 3_000_000)
