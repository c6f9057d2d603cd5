"""---
rows = [8]
attack = "output without end"
outcomes = ["exceededOutput", "exceededCpu"]
absent = "internalError"
---"""
import sys
while True:
    print("x" * 1000)
    sys.stderr.write("y" * 1000)
