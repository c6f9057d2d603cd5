"""---
rows = [6]
attack = "a million tasks that sleep"
outcomes = ["ok", "exception", "exceededMemory", "exceededCpu", "exceededWallTime"]
[request.limits]
cpu_ms = 1000
wall_ms = 3000
memory_mb = 64
---"""
import asyncio
await asyncio.gather(*(asyncio.sleep(1000) for _ in range(1_000_000)))
