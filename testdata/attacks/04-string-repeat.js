/*---
rows = [4]
attack = "one string of a gigabyte, by every builtin that makes one, each refused so that code can go on"
outcomes = ["ok", "exceededMemory", "exceededCpu"]
match = "^\"refused 7\"$|^null$"
[request.limits]
memory_mb = 64
cpu_ms = 500
---*/
let refused = 0;
for (const f of [() => "x".repeat(2 ** 29), () => "x".repeat(2 ** 30 - 1), () => "".padStart(2 ** 29, "ab"), () => "".padEnd(1e9), () => new Array(2 ** 29).join("x"), () => "x".repeat(5e7).replaceAll("x", "yyyyyyyyyyyy"), () => String.fromCodePoint(...new Array(5e7).fill(65))]) {
  try { f(); } catch (e) { if (e === null || e instanceof Error) refused++; }
}
`refused ${refused}`;
