// TextEncoder and TextDecoder, after https://encoding.spec.whatwg.org/#api
import { anInterface, check, done, same, throws } from "./check.js";

const typeError = { name: "TypeError" };
anInterface(TextEncoder, "TextEncoder", { attributes: ["encoding"], methods: { encode: 0, encodeInto: 2 } });
anInterface(TextDecoder, "TextDecoder", { attributes: ["encoding", "fatal", "ignoreBOM"], methods: { decode: 0 } });

const bytes = (...list) => new Uint8Array(list);
const encoder = new TextEncoder();
same(encoder.encoding, "utf-8");
for (const [text, ...wanted] of [
  ["", ], ["abc", 0x61, 0x62, 0x63], ["\0", 0], ["\x7f\x80", 0x7f, 0xc2, 0x80], ["é", 0xc3, 0xa9], ["\u07ff\u0800", 0xdf, 0xbf, 0xe0, 0xa0, 0x80],
  ["\uffff", 0xef, 0xbf, 0xbf], ["😀", 0xf0, 0x9f, 0x98, 0x80], ["\ud800", 0xef, 0xbf, 0xbd], ["\udc00x", 0xef, 0xbf, 0xbd, 0x78], ["\ud800\ud800\udc00", 0xef, 0xbf, 0xbd, 0xf0, 0x90, 0x80, 0x80],
]) same(encoder.encode(text), bytes(...wanted), `encode ${JSON.stringify(text)}`);
same(encoder.encode(), bytes());
same(encoder.encode(undefined), bytes());
same(encoder.encode(null), encoder.encode("null"));
check(encoder.encode("x").buffer.byteLength === 1);
throws(() => encoder.encode(Symbol()), typeError);

for (const [text, room, read, ...wanted] of [
  ["abc", 5, 3, 0x61, 0x62, 0x63], ["abc", 2, 2, 0x61, 0x62], ["aé", 2, 1, 0x61], ["é", 2, 1, 0xc3, 0xa9], ["😀x", 4, 2, 0xf0, 0x9f, 0x98, 0x80], ["😀x", 3, 0], ["\ud800", 3, 1, 0xef, 0xbf, 0xbd], ["\ud800", 2, 0], ["x", 0, 0], ["", 3, 0],
]) {
  const to = new Uint8Array(room + 2).subarray(1, room + 1);
  const result = encoder.encodeInto(text, to);
  same(result, { read, written: wanted.length }, `encodeInto ${JSON.stringify(text)}, ${room}`);
  same([...to.subarray(0, wanted.length)], wanted);
  same([to.buffer.byteLength, new Uint8Array(to.buffer)[0], new Uint8Array(to.buffer)[room + 1]], [room + 2, 0, 0]);
}
for (const bad of [undefined, null, {}, new ArrayBuffer(3), new Uint8ClampedArray(3), new Int8Array(3), new DataView(new ArrayBuffer(3)), [1]]) throws(() => encoder.encodeInto("x", bad), typeError);
throws(() => encoder.encodeInto("x"), typeError);
const gone = new Uint8Array(4);
same(encoder.encodeInto({ toString() { structuredClone(0, { transfer: [gone.buffer] }); return "abc"; } }, gone), { read: 0, written: 0 });

// Labels.
for (const label of ["utf-8", "UTF8", " utf-8\n", "\tUnicode-1-1-UTF-8\f", "unicode11utf8", "unicode20utf8", "x-unicode20utf8", undefined]) same(new TextDecoder(label).encoding, "utf-8", String(label));
for (const label of ["utf-16", "UTF-16LE", "ucs-2", "unicode", "unicodefeff", "iso-10646-ucs-2", "csunicode"]) same(new TextDecoder(label).encoding, "utf-16le", label);
for (const label of ["utf-16be", "unicodefffe"]) same(new TextDecoder(label).encoding, "utf-16be", label);
for (const label of ["latin1", "ascii", "us-ascii", "iso-8859-1", "windows-1252", "cp1252"]) same(new TextDecoder(label).encoding, "windows-1252", label);
for (const label of ["", "utf-7", "x", "utf-8\0", "\u00a0utf-8", "utf-8\u2028", null, 5]) throws(() => new TextDecoder(label), { name: "RangeError" }, `label ${label}`);
const order = [];
throws(() => new TextDecoder({ toString() { order.push("label"); return "none"; } }, { get fatal() { order.push("fatal"); }, get ignoreBOM() { order.push("ignoreBOM"); } }), { name: "RangeError" });
same(order, ["label", "fatal", "ignoreBOM"]);
same([new TextDecoder("utf-8", { fatal: 1 }).fatal, new TextDecoder().fatal, new TextDecoder("utf-8", { ignoreBOM: "x" }).ignoreBOM], [true, false, true]);
throws(() => new TextDecoder("utf-8", 5), typeError);
new TextDecoder("utf-8", null);

// Decoding UTF-8.
const decode = (list, options) => new TextDecoder("utf-8", options).decode(bytes(...list));
for (const [wanted, ...list] of [
  ["abc", 0x61, 0x62, 0x63], ["é", 0xc3, 0xa9], ["é漢😀", 0xc3, 0xa9, 0xe6, 0xbc, 0xa2, 0xf0, 0x9f, 0x98, 0x80], ["\0", 0], ["ÿ", 0xc3, 0xbf],
]) {
  same(decode(list), wanted);
  same(decode(list, { fatal: true }), wanted);
}
const R = "\ufffd";
for (const [wanted, ...list] of [
  [R, 0x80], [R, 0xff], [R + R, 0xc0, 0x80], [R + R, 0xc1, 0xbf], [R, 0xc3], [R + "a", 0xc3, 0x61], [R + R + R, 0xe0, 0x80, 0x80], [R + R + R, 0xed, 0xa0, 0x80], [R, 0xe6, 0xbc], [R + "a", 0xe6, 0xbc, 0x61],
  [R + R + R + R, 0xf0, 0x80, 0x80, 0x80], [R, 0xf0, 0x9f, 0x98], [R + "x", 0xf0, 0x9f, 0x98, 0x78], [R + R + R + R, 0xf4, 0x90, 0x80, 0x80], [R + R + R + R, 0xf5, 0x80, 0x80, 0x80], [R + R, 0xe6, 0xe6], [R + "é", 0xe6, 0xc3, 0xa9], ["a" + R + "b", 0x61, 0xfe, 0x62],
]) {
  same(decode(list), wanted, `decode ${list}`);
  throws(() => decode(list, { fatal: true }), typeError);
}
same(decode([0xef, 0xbb, 0xbf, 0x61]), "a");
same(decode([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]), "\ufeff");
same(decode([0xef, 0xbb, 0xbf, 0x61], { ignoreBOM: true }), "\ufeffa");
const decoder = new TextDecoder();
same([decoder.decode(), decoder.decode(undefined), decoder.decode(new ArrayBuffer(0))], ["", "", ""]);
same(decoder.decode(bytes(0x61, 0x62).buffer), "ab");
same(decoder.decode(new DataView(bytes(0x61, 0x62, 0x63).buffer, 1, 1)), "b");
same(decoder.decode(new Uint16Array(bytes(0x61, 0x62).buffer)), "ab");
for (const bad of [null, 1, "a", {}, [1]]) throws(() => decoder.decode(bad), typeError);
throws(() => decoder.decode(new ArrayBuffer(1, { maxByteLength: 2 })), typeError);
throws(() => TextDecoder.prototype.decode.call({}), typeError);

// Streaming: every way to cut a text gives the text.
const text = "a\u00e9\u6f22\ud83d\ude00z";
const whole = encoder.encode(text);
for (let i = 0; i <= whole.length; i++) {
  for (let j = i; j <= whole.length; j++) {
    const d = new TextDecoder("utf-8", { fatal: true });
    same(d.decode(whole.subarray(0, i), { stream: true }) + d.decode(whole.subarray(i, j), { stream: true }) + d.decode(whole.subarray(j)), text, `cut at ${i} and ${j}`);
  }
}
const s = new TextDecoder();
same([s.decode(bytes(0xe6), { stream: true }), s.decode(), s.decode(bytes(0xbc))], ["", R, R]);
same([s.decode(bytes(0xf0, 0x9f), { stream: true }), s.decode(bytes(0x61), { stream: true }), s.decode()], ["", R + "a", ""]);
same([s.decode(bytes(0xef, 0xbb), { stream: true }), s.decode(bytes(0xbf, 0x61), { stream: true }), s.decode(bytes(0xef, 0xbb, 0xbf))], ["", "a", "\ufeff"]);
same(s.decode(bytes(0xef, 0xbb, 0xbf, 0x62)), "b");
const f = new TextDecoder("utf-8", { fatal: true });
same(f.decode(bytes(0xe6), { stream: true }), "");
throws(() => f.decode(), typeError);
same(f.decode(bytes(0x61)), "a", "a decoder goes on after an error");
const detached = bytes(0x61, 0x62);
same(new TextDecoder().decode(detached, { get stream() { structuredClone(0, { transfer: [detached.buffer] }); return false; } }), "");

// Other encodings.
const le = new TextDecoder("utf-16le");
same(le.decode(bytes(0x61, 0, 0x3d, 0xd8, 0x00, 0xde)), "a😀");
same(le.decode(bytes(0xff, 0xfe, 0x61, 0)), "a");
same(le.decode(bytes(0x00, 0xd8)), R);
same(le.decode(bytes(0x61)), R);
same(le.decode(bytes(0x3d), { stream: true }) + le.decode(bytes(0xd8, 0x00), { stream: true }) + le.decode(bytes(0xde)), "😀");
same(new TextDecoder("utf-16be").decode(bytes(0, 0x61, 0xd8, 0x3d, 0xde, 0x00)), "a😀");
throws(() => new TextDecoder("utf-16le", { fatal: true }).decode(bytes(0, 0xdc)), typeError);
same(new TextDecoder("latin1").decode(bytes(0x61, 0xe9, 0x80, 0x9f, 0x81)), "aé€Ÿ\x81");
same(new TextDecoder("ascii").decode(bytes(0xff)), "ÿ");
done();
