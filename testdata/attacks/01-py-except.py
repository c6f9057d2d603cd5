"""---
rows = [1, 5]
attack = "a loop that catches all that can be raised in it"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 100
---"""
while True:
    try:
        while True:
            pass
    except BaseException:
        continue
    finally:
        continue
