/*---
rows = [12, 38, 14]
attack = "code that calls the server that runs it"
outcomes = ["exception"]
error = "(?i)not allowed|refused|closed|private|loopback"
[request]
network = { allow = [{ host = "*", ports = ["@SERVER_PORT@"] }] }
---*/
await fetch("http://@SERVER@/v1/executions", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ language: "javascript", code: "1" }) });
