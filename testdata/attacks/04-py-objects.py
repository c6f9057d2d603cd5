"""---
rows = [4]
attack = "more than the limit of memory or files: objects"
outcomes = ["exceededMemory", "exception"]
[request.limits]
cpu_ms = 10000
wall_ms = 20000
memory_mb = 64
---"""
class Node:
    pass

head = None
while True:
    n = Node()
    n.next, n.payload = head, {"a": object()}
    head = n
