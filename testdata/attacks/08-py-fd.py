"""---
rows = [8]
attack = "output that passes the streams of Python: os.write"
outcomes = ["exceededOutput"]
---"""
import os
while True:
    os.write(1, b"x" * 100_000)
