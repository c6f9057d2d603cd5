x = bytearray(60_000_000)
while True: y = bytes(x)
