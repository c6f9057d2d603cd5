// Order of ticks, microtasks, immediates and timers.
const order = [];
const log = (x) => order.push(x);
await new Promise((resolve) => setTimeout(() => {
  setImmediate(() => log("immediate"));
  Promise.resolve().then(() => { log("promise 1"); process.nextTick(() => log("tick in promise")); }).then(() => log("promise 2"));
  process.nextTick((a, b) => { log(`tick 1 ${a} ${b}`); process.nextTick(() => log("tick in tick")); Promise.resolve().then(() => log("promise in tick")); }, 1, 2);
  queueMicrotask(() => log("microtask"));
  process.nextTick(() => log("tick 2"));
  log("sync");
  setTimeout(resolve, 20);
}, 1));
console.log(order.join("\n"));
