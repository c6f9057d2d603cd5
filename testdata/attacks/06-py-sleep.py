"""---
rows = [6]
attack = "a program that sleeps for ever"
outcomes = ["exceededWallTime"]
idle = true
[request.limits]
wall_ms = 1000
---"""
import time
time.sleep(10**6)
