import hashlib
b = b"x" * 50_000_000
while True: hashlib.sha256(b).digest()
