// Every global that a worker expects is there, as what it should be, and so is
// WinterTC's Minimum Common Web API.
import { check, done, same, throws } from "./check.js";

const classes = `
  AbortController AbortSignal Blob ByteLengthQueuingStrategy Cache CacheStorage CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent
  DOMException DecompressionStream ErrorEvent Event EventSource EventTarget File FixedLengthStream FormData HTMLRewriter Headers IdentityTransformStream
  MessageChannel MessageEvent MessagePort Performance PromiseRejectionEvent ReadableByteStreamController ReadableStream ReadableStreamBYOBReader
  ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream
  TextEncoder TextEncoderStream TransformStream URL URLPattern URLSearchParams WebSocket WebSocketPair WritableStream WritableStreamDefaultController
  WritableStreamDefaultWriter
  CloseEvent ProgressEvent PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList BroadcastChannel
  TransformStreamDefaultController WorkerGlobalScope ServiceWorkerGlobalScope Navigator
`;
const functions = `
  atob btoa clearInterval clearTimeout fetch queueMicrotask reportError setInterval setTimeout structuredClone
  clearImmediate setImmediate addEventListener removeEventListener dispatchEvent
`;
const objects = `
  caches console crypto navigator performance scheduler self
  globalThis
`;
const list = (names) => names.trim().split(/\s+/);

for (const name of list(classes)) {
  const d = Object.getOwnPropertyDescriptor(globalThis, name);
  same([typeof d?.value, d?.enumerable, d?.writable, d?.configurable], ["function", false, true, true], name);
  if (d === undefined) continue;
  same([d.value.name, d.value.prototype?.constructor === d.value, d.value.prototype?.[Symbol.toStringTag]], [name, true, name], `class ${name}`);
  throws(() => d.value(), { name: "TypeError" }, `${name}() without new`);
}
for (const name of list(functions)) {
  same([typeof globalThis[name], globalThis[name]?.name], ["function", name], name);
}
for (const name of list(objects)) check(typeof globalThis[name] === "object" && globalThis[name] !== null, name);

same([self === globalThis, navigator.userAgent, Object.prototype.toString.call(caches), Object.prototype.toString.call(crypto.subtle)],
  [true, "Cloudflare-Workers", "[object CacheStorage]", "[object SubtleCrypto]"]);
same(typeof WebAssembly, "object");

done();
