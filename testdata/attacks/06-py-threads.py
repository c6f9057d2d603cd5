"""---
rows = [6]
attack = "threads and processes without end"
outcomes = ["exception"]
error = "thread"
---"""
import threading
while True:
    threading.Thread(target=print).start()
