def f(n): return f(n + 1) if n < 900 else 0
while True: f(0)
