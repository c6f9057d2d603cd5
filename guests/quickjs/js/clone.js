// What structuredClone does with the platform's objects that are written in
// JavaScript, after HTML (§2.7): blobs, files and keys are serializable, message
// ports are transferable, all others are neither.
import { DOMException, Set } from "mayfly:intrinsics";
import native from "mayfly:native";
import { cloneKey, isCryptoKey } from "mayfly:crypto-key";
import { adoptBlob, blobBytes, blobType, cloneFile, isBlob, isFile } from "mayfly:blob";
import { isDetached, isMessagePort, moveTo, newPort } from "mayfly:message-port";
import { ObjectGetPrototypeOf, SetPrototypeAdd, SetPrototypeHas, SymbolToStringTag } from "mayfly:primordials";

const platform = new Set();
for (const name of [
  "AbortController", "BroadcastChannel", "ByteLengthQueuingStrategy", "Cache", "CacheStorage", "CountQueuingStrategy", "Crypto", "Event", "EventTarget",
  "FormData", "MessageChannel", "Navigator", "PerformanceEntry", "PerformanceObserver", "PerformanceObserverEntryList", "ReadableByteStreamController",
  "ReadableStream", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader",
  "Scheduler", "SubtleCrypto", "TextDecoderStream", "TextEncoderStream", "TransformStream", "TransformStreamDefaultController", "WritableStream",
  "WritableStreamDefaultController", "WritableStreamDefaultWriter",
]) SetPrototypeAdd(platform, globalThis[name].prototype);

native.setCloneHooks({
  __proto__: null,
  clone(object) {
    if (isFile(object)) return cloneFile(object);
    if (isCryptoKey(object)) return cloneKey(object);
    if (isBlob(object)) return adoptBlob(blobBytes(object), blobType(object));
    for (let p = ObjectGetPrototypeOf(object); p !== null; p = ObjectGetPrototypeOf(p)) {
      if (SetPrototypeHas(platform, p)) throw new DOMException(`${p[SymbolToStringTag]} object could not be cloned.`, "DataCloneError");
    }
    return undefined;
  },
  transfer(object) {
    if (!isMessagePort(object)) return undefined;
    if (isDetached(object)) throw new DOMException("A MessagePort that is closed or transferred could not be transferred.", "DataCloneError");
    return newPort();
  },
  moved: moveTo,
});
