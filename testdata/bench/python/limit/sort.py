import random
x = [random.random() for _ in range(20000)] * 50
while True: sorted(x)
