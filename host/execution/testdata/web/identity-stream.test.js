// IdentityTransformStream and FixedLengthStream, as workers have them.
import { anInterface, check, done, rejects, same, sleep, throws } from "./check.js";

anInterface(IdentityTransformStream, "IdentityTransformStream", { attributes: ["readable", "writable"], parent: TransformStream });
anInterface(FixedLengthStream, "FixedLengthStream", { length: 1, parent: IdentityTransformStream });

const bytes = (...list) => Uint8Array.from(list);

// A write is done when it has been read, in whatever pieces.
{
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  let written = false;
  const writing = writer.write(bytes(1, 2, 3, 4, 5)).then(() => { written = true; });
  const reader = readable.getReader({ mode: "byob" });
  same((await reader.read(new Uint8Array(2))).value, bytes(1, 2));
  await sleep();
  check(!written, "half of it has been read");
  same((await reader.read(new Uint8Array(10))).value, bytes(3, 4, 5));
  await writing;
  check(written, "all of it has been read");
  writer.write(new DataView(new ArrayBuffer(2)));
  writer.write(bytes(9).buffer);
  writer.write(new Uint8Array(0));
  same((await reader.read(new Uint8Array(10))).value, bytes(0, 0));
  same((await reader.read(new Uint8Array(10))).value, bytes(9));
  const closing = writer.close();
  const last = await reader.read(new Uint8Array(10));
  same([last.done, last.value.length], [true, 0]);
  await closing;
}
// The reader's chunk is not the writer's buffer.
{
  const { readable, writable } = new IdentityTransformStream();
  const chunk = bytes(1, 2);
  const writing = writable.getWriter().write(chunk);
  const { value } = await readable.getReader().read();
  await writing;
  chunk[0] = 7;
  same(value, bytes(1, 2));
}
// Reads that wait for a write, and for the end.
{
  const { readable, writable } = new IdentityTransformStream();
  const reader = readable.getReader();
  const reads = [reader.read(), reader.read(), reader.read()];
  const writer = writable.getWriter();
  await writer.write(bytes(1));
  await writer.write(bytes(2));
  await writer.close();
  same((await Promise.all(reads)).map((r) => r.value?.[0] ?? r.done), [1, 2, true]);
}
for (const [chunk, message] of [
  ["text", "This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."],
  [{}, "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side."],
]) {
  const { readable, writable } = new IdentityTransformStream();
  const reading = readable.getReader().read();
  reading.catch(() => {});
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  await rejects(writer.write(chunk), { name: "TypeError", message });
  await rejects(reading, { name: "TypeError", message });
}
// Abort and cancel reach the other side.
{
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const writing = writer.write(bytes(1));
  writing.catch(() => {});
  await readable.cancel("no more");
  same(await writing.then(() => "written", (reason) => reason), "no more");
  same(await writer.closed.then(() => "closed", (reason) => reason), "no more");
}
{
  const { readable, writable } = new IdentityTransformStream();
  const reading = readable.getReader().read();
  reading.catch(() => {});
  await writable.abort("stopped");
  same(await reading.then(() => "read", (reason) => reason), "stopped");
}

for (const wrong of [undefined, -1, 1.5, NaN, Infinity, 2 ** 53, -1n, 2n ** 64n, "x"]) throws(() => new FixedLengthStream(wrong), { name: "TypeError" }, `length ${String(wrong)}`);
for (const [length, chunks] of [[0, []], [3, [bytes(1, 2, 3)]], [3n, [bytes(1), bytes(2, 3)]], [2, [new Uint8Array(0), bytes(1, 2)]]]) {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  for (const chunk of chunks) writer.write(chunk);
  const closing = writer.close();
  same((await new Response(readable).arrayBuffer()).byteLength, Number(length), `length ${length}`);
  await closing;
}
{
  const { readable, writable } = new FixedLengthStream(3);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  const writes = [writer.write(bytes(1, 2)), writer.write(bytes(3, 4))];
  writes[1].catch(() => {});
  const reader = readable.getReader();
  reader.closed.catch(() => {});
  same((await reader.read()).value, bytes(1, 2));
  const wanted = { name: "TypeError", message: "Attempt to write too many bytes through a FixedLengthStream." };
  await rejects(reader.read(), wanted);
  await rejects(writes[1], wanted);
}
{
  const { readable, writable } = new FixedLengthStream(3);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  writer.write(bytes(1, 2));
  const closing = writer.close();
  closing.catch(() => {});
  const reader = readable.getReader();
  reader.closed.catch(() => {});
  same((await reader.read()).value, bytes(1, 2));
  const wanted = { name: "TypeError", message: "FixedLengthStream did not see all expected bytes before close()." };
  await rejects(closing, wanted);
  await rejects(reader.read(), wanted);
}
{
  const piped = new Blob(["some bytes"]).stream().pipeThrough(new FixedLengthStream(10));
  same(await new Response(piped).text(), "some bytes");
}
done();
