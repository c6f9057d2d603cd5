import pLimit from "p-limit";
import { equal, rejects } from "../check.js";

const limit = pLimit(2);
let running = 0;
let most = 0;
const task = (n) => limit(async () => {
  most = Math.max(most, ++running);
  await new Promise((resolve) => setTimeout(resolve, 2));
  running--;
  return n * n;
});
equal(await Promise.all([1, 2, 3, 4, 5].map(task)), [1, 4, 9, 16, 25]);
equal([most, limit.activeCount, limit.pendingCount], [2, 0, 0]);
await rejects(limit(async () => { throw new RangeError("no"); }), /RangeError: no/);
equal(await limit.map([1, 2], async (x) => x + 1), [2, 3]);
