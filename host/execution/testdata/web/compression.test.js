// CompressionStream and DecompressionStream, after https://compression.spec.whatwg.org.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const FORMATS = ["deflate", "deflate-raw", "gzip", "brotli"];

anInterface(CompressionStream, "CompressionStream", { length: 1, attributes: ["readable", "writable"] });
anInterface(DecompressionStream, "DecompressionStream", { length: 1, attributes: ["readable", "writable"] });

async function bytesOf(stream) {
  const chunks = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    check(value instanceof Uint8Array, "a chunk is a Uint8Array");
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

// through writes chunks and answers what comes out. The writer's promises fail
// with the reader's.
async function through(stream, chunks) {
  const writer = stream.writable.getWriter();
  const writes = chunks.map((chunk) => writer.write(chunk));
  writes.push(writer.close());
  for (const promise of [...writes, writer.closed, writer.ready]) promise.catch(() => {});
  return bytesOf(stream.readable);
}
const compress = (format, ...chunks) => through(new CompressionStream(format), chunks);
const decompress = (format, ...chunks) => through(new DecompressionStream(format), chunks);

for (const Class of [CompressionStream, DecompressionStream]) {
  throws(() => new Class(), { name: "TypeError" });
  for (const wrong of ["", "a", "zlib", "GZIP", "Deflate", "br", "deflate-raw ", null, undefined, 1, {}]) {
    throws(() => new Class(wrong), { name: "TypeError" }, `${Class.name} of ${String(wrong)}`);
  }
  check(new Class({ toString: () => "gzip" }) instanceof Class, "the format is converted");
  throws(() => new Class({ toString() { throw new RangeError("mine"); } }), { name: "RangeError", message: "mine" });
  const stream = new Class("gzip");
  check(stream.readable instanceof ReadableStream, "readable");
  check(stream.writable instanceof WritableStream, "writable");
  check(stream.readable === stream.readable && stream.writable === stream.writable, "the same each time");
}

// What others made. "expected output" and its forms are the specification's and
// RFCs' own formats, written by zlib and brotli.
const known = {
  deflate: [120, 156, 75, 173, 40, 72, 77, 46, 73, 77, 81, 200, 47, 45, 41, 40, 45, 1, 0, 48, 173, 6, 36],
  gzip: [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 75, 173, 40, 72, 77, 46, 73, 77, 81, 200, 47, 45, 41, 40, 45, 1, 0, 176, 1, 57, 179, 15, 0, 0, 0],
  "deflate-raw": [75, 173, 40, 72, 77, 46, 73, 77, 81, 200, 47, 45, 41, 40, 45, 1, 0],
  brotli: [0x21, 0x38, 0x00, 0x04, 0x65, 0x78, 0x70, 0x65, 0x63, 0x74, 0x65, 0x64, 0x20, 0x6f, 0x75, 0x74, 0x70, 0x75, 0x74, 0x03],
};

for (const format of FORMATS) {
  const input = Uint8Array.from(known[format]);
  same(decoder.decode(await decompress(format, input)), "expected output", `${format}: known data`);

  // However the input is split, the output is the same.
  for (let size = 1; size < 16; size++) {
    const parts = [];
    for (let at = 0; at < input.length; at += size) parts.push(input.subarray(at, at + size));
    same(decoder.decode(await decompress(format, ...parts)), "expected output", `${format}: by ${size}`);
  }
  // Any BufferSource will do.
  const backing = new Uint8Array(input.length + 5);
  backing.set(input, 3);
  for (const [what, chunk] of [
    ["ArrayBuffer", input.slice().buffer], ["DataView", new DataView(backing.buffer, 3, input.length)], ["Uint8ClampedArray", new Uint8ClampedArray(input)], ["Int8Array", new Int8Array(input)],
  ]) same(decoder.decode(await decompress(format, chunk)), "expected output", `${format}: ${what}`);
  same((await decompress(format, await compress(format, new Float64Array([1, 2])))).length, 16, `${format}: Float64Array`);

  // Empty chunks are nothing; an empty stream is one too.
  const empty = await compress(format, new Uint8Array(0));
  check(empty.length > 0, `${format}: an empty stream has a form`);
  same(await compress(format), empty, `${format}: no chunk`);
  same((await decompress(format, empty)).length, 0, `${format}: empty again`);
  same(decoder.decode(await decompress(format, new Uint8Array(0), input, new Uint8Array(0))), "expected output", `${format}: between empty chunks`);

  // Larger, and many chunks.
  const chunk = encoder.encode("some text that repeats itself; ".repeat(500));
  const many = await compress(format, ...Array(20).fill(chunk));
  check(many.length < chunk.length, `${format}: it is smaller`);
  same((await decompress(format, many)).length, 20 * chunk.length, `${format}: many chunks`);
  const noise = crypto.getRandomValues(new Uint8Array(50000));
  same(await decompress(format, await compress(format, noise)), noise, `${format}: noise`);

  // Corrupt, cut off, too long.
  for (let n = 0; n < input.length; n++) await rejects(decompress(format, input.subarray(0, n)), { name: "TypeError" }, `${format}: cut off at ${n}`);
  const longer = new Uint8Array(input.length + 1);
  longer.set(input);
  await rejects(decompress(format, longer), { name: "TypeError" }, `${format}: a byte behind in the same chunk`);
  await rejects(decompress(format, input, Uint8Array.of(0)), { name: "TypeError" }, `${format}: a byte behind in its own chunk`);
  await rejects(decompress(format, input, input), { name: "TypeError" }, `${format}: a second stream behind`);
  if (format !== "brotli") await rejects(decompress(format, encoder.encode("\xff not compressed")), { name: "TypeError" }, `${format}: no such data`);

  // What was right comes before the mistake.
  {
    const stream = new DecompressionStream(format);
    const writer = stream.writable.getWriter();
    const reader = stream.readable.getReader();
    const reading = reader.read();
    const second = reader.read();
    second.catch(() => {});
    writer.write(longer).catch(() => {});
    writer.closed.catch(() => {});
    writer.ready.catch(() => {});
    same(decoder.decode((await reading).value), "expected output", `${format}: output before the error`);
    await rejects(second, { name: "TypeError" }, `${format}: then the error`);
    await rejects(reader.closed, { name: "TypeError" });
    await rejects(writer.closed, { name: "TypeError" });
  }

  for (const bad of [undefined, null, 3.14, "text", {}, [1, 2], Symbol.iterator, new Blob(["x"])]) {
    for (const Class of [CompressionStream, DecompressionStream]) {
      const stream = new Class(format);
      const writer = stream.writable.getWriter();
      const reader = stream.readable.getReader();
      const reading = reader.read();
      reading.catch(() => {});
      writer.closed.catch(() => {});
      writer.ready.catch(() => {});
      reader.closed.catch(() => {});
      await rejects(writer.write(bad), { name: "TypeError" }, `${format}: ${Class.name} of ${String(bad)}`);
      await rejects(reading, { name: "TypeError" });
    }
  }

  // Abort and cancel.
  {
    const stream = new CompressionStream(format);
    const writer = stream.writable.getWriter();
    const reader = stream.readable.getReader();
    const reading = reader.read();
    reading.catch(() => {});
    reader.closed.catch(() => {});
    writer.closed.catch(() => {});
    writer.write(chunk).catch(() => {});
    const reason = new Error("enough");
    await writer.abort(reason);
    same(await reader.closed.then(() => 0, (error) => error === reason), true, `${format}: abort`);
  }
  {
    const stream = new DecompressionStream(format);
    const writer = stream.writable.getWriter();
    writer.closed.catch(() => {});
    const writing = writer.write(many);
    writing.catch(() => {});
    const reader = stream.readable.getReader();
    await reader.read();
    await reader.cancel("enough");
    await writing.then(() => {}, () => {});
    same(await writer.closed.then(() => "closed", (error) => error), "enough", `${format}: cancel`);
  }
}

// zlib's header allows a dictionary, which is never there.
await rejects(decompress("deflate", Uint8Array.of(0x78, 0xbb, 0, 0, 0, 1)), { name: "TypeError" }, "dictionary");
// gzip's checksum and length, and zlib's.
for (const [format, at] of [["gzip", 8], ["gzip", 1], ["deflate", 1]]) {
  const wrong = Uint8Array.from(known[format]);
  wrong[wrong.length - at] ^= 1;
  await rejects(decompress(format, wrong), { name: "TypeError" }, `${format}: checked to the end`);
}
// A gzip header with all of its fields.
{
  const header = [31, 139, 8, 4 | 8 | 16, 1, 2, 3, 4, 0, 255, 3, 0, 65, 66, 67, ...encoder.encode("name.txt\0a comment\0")];
  same(decoder.decode(await decompress("gzip", Uint8Array.from([...header, ...known.gzip.slice(10)]))), "expected output", "gzip header");
}

// Back-pressure: no more is made than the reader wants.
{
  const small = await compress("gzip", ...Array(30).fill(new Uint8Array(1 << 20)));
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  let written = false;
  writer.write(small).then(() => { written = true; });
  const reader = stream.readable.getReader();
  let length = (await reader.read()).value.length;
  await sleep(5);
  check(!written && length <= 1 << 17, "the write waits for its reader");
  const closing = writer.close();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
  }
  await closing;
  check(written, "and is done when all has been read");
  same(length, 30 << 20);
}

// Streams that nobody finishes are given up.
for (let i = 0; i < 300; i++) {
  const writer = new CompressionStream("gzip").writable.getWriter();
  writer.write(Uint8Array.of(1));
  if (i % 20 === 19) await sleep(0);
}
same(decoder.decode(await decompress("gzip", Uint8Array.from(known.gzip))), "expected output", "after many that were dropped");

// With bodies.
same(await new Response(new Response("body").body.pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"))).text(), "body");

// A program that patches what it can get hold of changes nothing.
{
  const { decode } = TextDecoder.prototype;
  const { slice, subarray, set } = Object.getPrototypeOf(Uint8Array.prototype);
  const typed = Object.getPrototypeOf(Uint8Array.prototype);
  const fail = () => { throw new Error("patched"); };
  typed.slice = typed.subarray = typed.set = TextDecoder.prototype.decode = fail;
  Object.defineProperty(Object.prototype, "level", { value: 77, configurable: true });
  Object.defineProperty(Object.prototype, "dictionary", { value: fail, configurable: true });
  let result;
  try {
    const stream = new CompressionStream("deflate-raw");
    const writer = stream.writable.getWriter();
    writer.write(new Uint8Array(3));
    writer.close();
    result = (await stream.readable.getReader().read()).value.length;
  } catch (error) {
    result = error;
  }
  Object.assign(typed, { slice, subarray, set });
  TextDecoder.prototype.decode = decode;
  delete Object.prototype.level;
  delete Object.prototype.dictionary;
  check(result > 0 && result < 12, `patched: ${result}`);
}
done();
