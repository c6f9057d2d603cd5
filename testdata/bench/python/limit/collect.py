import gc
x = [[i] for i in range(1_000_000)]
while True: gc.collect()
