// structuredClone of the platform's objects.
import { done, same } from "./check.js";

const blob = new Blob(["abc"], { type: "text/plain" });
const copy = structuredClone({ blob, again: blob });
same([copy.blob === blob, copy.blob === copy.again, copy.blob instanceof Blob, copy.blob.type, copy.blob.size, await copy.blob.text()],
  [false, true, true, "text/plain", 3, "abc"]);
const file = structuredClone(new File(["xy"], "a.txt", { type: "text/x", lastModified: 5 }));
same([file instanceof File, file.name, file.type, file.lastModified, await file.text()], [true, "a.txt", "text/x", 5, "xy"]);
same(structuredClone(blob.slice(1)).size, 2);

const refused = (value) => {
  try {
    structuredClone(value);
  } catch (error) {
    return error instanceof DOMException && error.name === "DataCloneError";
  }
  return false;
};
class Target extends EventTarget {}
for (const value of [
  new ReadableStream(), new WritableStream(), new TransformStream(), new ReadableStream().getReader(), new TextDecoderStream(), new AbortController(),
  new AbortController().signal, new EventTarget(), new Target(), new Event("x"), new FormData(), crypto, crypto.subtle, performance, navigator,
  new Headers(), new Request("http://a.test/"), new Response(), () => {}, Symbol("s"), new WeakMap(), Promise.resolve(), { nested: [new EventTarget()] },
]) same(refused(value), true);

// A class of the program's own loses its prototype, as anywhere.
class Own { a = 1; }
same(Object.getPrototypeOf(structuredClone(new Own())) === Object.prototype, true);

done();
