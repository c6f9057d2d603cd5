import { LRUCache } from "lru-cache";
import { equal } from "../check.js";

const cache = new LRUCache({ max: 2, dispose: (value, key, reason) => gone.push([key, reason]) });
const gone = [];
cache.set("a", 1).set("b", 2);
cache.get("a");
cache.set("c", 3);
equal([cache.has("b"), cache.get("a"), [...cache.keys()].sort()], [false, 1, ["a", "c"]]);
equal(gone, [["b", "evict"]]);
const timed = new LRUCache({ max: 10, ttl: 5 });
timed.set("x", 1);
await new Promise((resolve) => setTimeout(resolve, 25));
equal(timed.get("x"), undefined);
const sized = new LRUCache({ maxSize: 10, sizeCalculation: (v) => v.length });
sized.set("a", "12345").set("b", "123456");
equal([sized.has("a"), sized.calculatedSize], [false, 6]);
const fetching = new LRUCache({ max: 5, fetchMethod: async (key) => key.toUpperCase() });
equal(await Promise.all([fetching.fetch("q"), fetching.fetch("q")]), ["Q", "Q"]);
