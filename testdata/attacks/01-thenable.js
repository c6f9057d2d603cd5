/*---
rows = [1]
attack = "a result that is a thenable which never settles but resolves with itself again"
outcomes = ["exceededCpu", "exceededMemory", "exception"]
[request.limits]
cpu_ms = 50
---*/
export default () => { const t = { then(resolve) { resolve(t); } }; return t; };
