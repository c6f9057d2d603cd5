while True: ("x" * 50_000_000).replace("x", "yy")
