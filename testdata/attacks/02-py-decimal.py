"""---
rows = [2]
attack = "one builtin that works for long: decimal"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import decimal
decimal.getcontext().prec = 2_000_000
decimal.Decimal(2).sqrt()
