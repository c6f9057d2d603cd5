x = b"a" * 50_000_000
while True: x.find(b"a" * 20_000 + b"b")
