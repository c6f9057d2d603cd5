"""---
rows = [2]
attack = "one builtin that works for long: sqlite"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 100
---"""
import sqlite3
sqlite3.connect(":memory:").execute("with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n").fetchone()
