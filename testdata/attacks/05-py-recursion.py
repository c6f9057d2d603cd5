"""---
rows = [5]
attack = "endless recursion, which can be caught"
outcomes = ["ok"]
value = '"RecursionError"'
---"""
def f():
    return f()

try:
    f()
except RecursionError as e:
    answer = type(e).__name__
answer
