/*---
rows = [1, 5]
attack = "a loop in Error.prepareStackTrace, in an error's message, name and stack"
outcomes = ["exceededCpu", "exception"]
[request.limits]
cpu_ms = 50
---*/
Error.prepareStackTrace = () => { for (;;) {} };
class Slow extends Error { get name() { for (;;) {} } get message() { for (;;) {} } get stack() { for (;;) {} } get cause() { for (;;) {} } }
throw new Slow();
