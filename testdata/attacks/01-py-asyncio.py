"""---
rows = [1]
attack = "callbacks of an event loop that always add the next one"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    def again():
        loop.call_soon(again)
    again()
    while True:
        await asyncio.sleep(0)

await main()
