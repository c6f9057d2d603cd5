"""---
rows = [7]
attack = "an upload without an end"
outcomes = ["exceededMemory", "exceededCpu", "exceededWallTime", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 1000, memory_mb = 64, wall_ms = 3000 }
---"""
import http.client
import itertools

c = http.client.HTTPConnection("@UPSTREAM@")
c.request("POST", "/silent", body=itertools.repeat(bytes(65536)), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
c.getresponse()
