"""---
rows = [7]
attack = "a response body without an end, all of which is read by urllib"
outcomes = ["exceededMemory", "exceededCpu", "exceededWallTime", "exception"]
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 4000 }
---"""
import urllib.request

urllib.request.urlopen("http://@UPSTREAM@/endless").read()
