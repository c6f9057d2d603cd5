/*---
rows = [2]
attack = "formatting and parsing of numbers and dates with extreme arguments"
outcomes = ["exceededCpu"]
[request.limits]
cpu_ms = 50
---*/
for (;;) { (1.7976931348623157e308).toFixed(100); (5e-324).toPrecision(100); Number("9".repeat(100000)); parseFloat("0." + "1".repeat(100000)); new Date(8.64e15).toISOString(); Date.parse("x".repeat(10000)); (255).toString(2); }
