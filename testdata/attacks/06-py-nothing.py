"""---
rows = [6]
attack = "waiting for what never comes"
outcomes = ["exception"]
error = "RuntimeError"
---"""
import asyncio
await asyncio.get_running_loop().create_future()
