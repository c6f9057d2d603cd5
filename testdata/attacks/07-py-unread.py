"""---
rows = [7]
attack = "many endless bodies of which nobody reads more than the first bytes"
outcomes = ["ok", "exception", "exceededMemory", "exceededSubrequests"]
repeat = 3 # at once: a tenant has 64 connections to a host, and more programs would wait for each other's
[request]
network = { allow = [{ host = "127.0.0.2", ports = ["@UPSTREAM_PORT@"] }] }
limits = { cpu_ms = 2000, memory_mb = 64, wall_ms = 4000 }
---"""
import urllib.request

kept = [urllib.request.urlopen("http://@UPSTREAM@/endless") for _ in range(20)]
[len(r.read(10)) for r in kept]
