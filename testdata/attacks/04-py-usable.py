"""---
rows = [4]
attack = "an allocation that fails leaves the program usable"
outcomes = ["ok"]
value = '"MemoryError"'
---"""
try:
    bytearray(1 << 30)
except MemoryError as e:
    answer = type(e).__name__
answer
