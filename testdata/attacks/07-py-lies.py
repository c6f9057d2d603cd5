"""---
rows = [7]
attack = "servers whose responses are no HTTP, or lie about their length"
outcomes = ["ok"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 4000 }
---"""
import urllib.request

said = []
for path in ("/lying-length", "/split", "/no-http", "/headers"):
    try:
        urllib.request.urlopen("http://@UPSTREAM@" + path).read()
        said.append("answer")
    except Exception as e:
        said.append("error")
said
