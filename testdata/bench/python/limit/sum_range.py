sum(range(10**10))
