/*---
rows = [2, 4]
attack = "a derivation that takes memory and time: scrypt with numbers of any size"
outcomes = ["exceededCpu", "exceededMemory"]
[request.limits]
cpu_ms = 150
---*/
import { scrypt, scryptSync } from "node:crypto";
const maxmem = Number.MAX_SAFE_INTEGER;
for (const options of [{ N: 2 ** 30, r: 2 ** 20, p: 2 ** 9 }, { N: 2 ** 20, r: 8 }, { N: 2, r: 1, p: 2 ** 29 }, { N: 2 ** 31, r: 1 }, { N: 3 }]) {
  try { scryptSync("p", "s", 64, { ...options, maxmem }); } catch {}
}
for (;;) await new Promise((resolve) => scrypt("p", "s", 64, { N: 2 ** 13, r: 8, p: 64, maxmem }, resolve));
