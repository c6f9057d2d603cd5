"""---
rows = [6]
attack = "more requests at once than are allowed"
outcomes = ["exception", "exceededSubrequests"]
[request.network]
allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }]
---"""
import asyncio
await asyncio.gather(*(fetch("http://@UPSTREAM@/") for _ in range(5000)))
