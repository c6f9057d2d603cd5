// FormData, after https://xhr.spec.whatwg.org/#interface-formdata, its encoding
// after HTML's multipart/form-data algorithm and RFC 7578, and Fetch's reading.
import { anInterface, check, done, rejects, same, throws } from "./check.js";

anInterface(FormData, "FormData", {
  methods: { append: 2, delete: 1, get: 1, getAll: 1, has: 1, set: 2, entries: 0, keys: 0, values: 0, forEach: 1 },
});
check(FormData.prototype[Symbol.iterator] === FormData.prototype.entries, "@@iterator is entries");
for (const wrong of [null, {}, "x", 1]) throws(() => new FormData(wrong), { name: "TypeError" }, `new FormData(${wrong})`);
same([...new FormData(undefined)].length, 0);

// ---- the list of entries

{
  const form = new FormData();
  for (const [method, count] of [["append", 1], ["set", 1], ["get", 0], ["getAll", 0], ["has", 0], ["delete", 0], ["forEach", 0]]) {
    throws(() => form[method](...Array(count).fill("x")), { name: "TypeError" }, `${method} of too few`);
  }
  same(form.append("a", "1"), undefined);
  form.append("b", 2);
  form.append("a", null);
  form.append("c", undefined);
  form.append("lone \ud800", "\udfff");
  same([...form.keys()], ["a", "b", "a", "c", "lone \ufffd"]);
  same([...form.values()], ["1", "2", "null", "undefined", "\ufffd"]);
  same([form.get("a"), form.get("x"), form.getAll("a"), form.getAll("x")], ["1", null, ["1", "null"], []]);
  same([form.has("b"), form.has("B")], [true, false]);
  form.set("a", "only");
  same([...form].map(([k, v]) => `${k}=${v}`).join("&"), "a=only&b=2&c=undefined&lone \ufffd=\ufffd");
  form.set("new", "last");
  form.delete("b");
  form.delete("not there");
  same([...form.keys()], ["a", "c", "lone \ufffd", "new"]);
  throws(() => form.append("x", "text", "name.txt"), { name: "TypeError" }, "a filename for text");
  throws(() => form.set("x", {}, "name.txt"), { name: "TypeError" }, "a filename for an object");
  throws(() => form.append(Symbol("x"), "x"), { name: "TypeError" });
  const seen = [];
  form.forEach(function (value, key, self) { seen.push(key + value + (self === form) + this.x); }, { x: 1 });
  same(seen[0], "aonlytrue1");
  throws(() => form.forEach(1), { name: "TypeError" });
  throws(() => FormData.prototype.get.call({}, "a"), { name: "TypeError" });
  throws(() => FormData.prototype.keys.call(new URLSearchParams(), "a"), { name: "TypeError" });
}
// Iteration is live.
{
  const form = new FormData();
  form.append("a", "1");
  form.append("b", "2");
  const names = [];
  for (const [name] of form) {
    names.push(name);
    if (name === "a") form.append("c", "3");
    if (name === "b") form.delete("a");
  }
  same(names, ["a", "b"]);
  const iterator = form.entries();
  same(Object.prototype.toString.call(iterator), "[object FormData Iterator]");
  const proto = Object.getPrototypeOf(iterator);
  same(Object.getPrototypeOf(proto) === Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())), true);
  same(Object.getOwnPropertyDescriptor(proto, "next").enumerable, true);
  throws(() => proto.next.call([][Symbol.iterator]()), { name: "TypeError" });
  check(iterator[Symbol.iterator]() === iterator, "an iterator iterates itself");
}
// Files.
{
  const form = new FormData();
  form.append("blob", new Blob(["x"], { type: "text/x" }));
  form.append("named", new Blob(["y"]), "y.bin");
  const file = new File(["z"], "z.txt", { type: "text/plain", lastModified: 42 });
  form.append("file", file);
  form.append("renamed", file, "other\ud800.txt");
  const [blob, named, same1, renamed] = [...form.values()];
  check(blob instanceof File, "a blob becomes a file");
  same([blob.name, blob.type, blob.size], ["blob", "text/x", 1]);
  same([named.name, named.type], ["y.bin", ""]);
  check(same1 === file, "a file stays itself");
  same([renamed.name, renamed.type, renamed !== file], ["other\ufffd.txt", "text/plain", true]);
  check(form.get("blob") === blob, "the entry keeps its file");
}

// ---- the multipart form

const boundaryOf = (response) => /^multipart\/form-data; boundary=([-0-9A-Za-z'()+_,./:=?]{27,70})$/.exec(response.headers.get("content-type"))?.[1];
const encoded = async (form) => {
  const response = new Response(form);
  const boundary = boundaryOf(response);
  check(boundary !== undefined, `boundary in ${response.headers.get("content-type")}`);
  return (await response.text()).replaceAll(boundary, "BOUND");
};
const form = (...entries) => {
  const data = new FormData();
  for (const entry of entries) data.append(...entry);
  return data;
};
same(await encoded(form()), "--BOUND--\r\n");
same(await encoded(form(["a", "b"])), '--BOUND\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--BOUND--\r\n');
for (const [name, escaped] of [
  ['quote"', "quote%22"], ["a\nb", "a%0D%0Ab"], ["a\rb", "a%0D%0Ab"], ["a\r\nb", "a%0D%0Ab"], ["a\n\rb", "a%0D%0A%0D%0Ab"], ["back\\slash", "back\\slash"], ["per%22cent", "per%22cent"], ["ünï", "ünï"], ["", ""], ["; x=1", "; x=1"],
]) {
  same(await encoded(form([name, "v"])), `--BOUND\r\nContent-Disposition: form-data; name="${escaped}"\r\n\r\nv\r\n--BOUND--\r\n`, `name ${JSON.stringify(name)}`);
}
for (const [value, normal] of [["a\nb", "a\r\nb"], ["a\rb", "a\r\nb"], ["a\r\nb", "a\r\nb"], ["\n\r", "\r\n\r\n"], ['"%22', '"%22'], ["", ""]]) {
  same(await encoded(form(["n", value])), `--BOUND\r\nContent-Disposition: form-data; name="n"\r\n\r\n${normal}\r\n--BOUND--\r\n`, `value ${JSON.stringify(value)}`);
}
for (const [name, escaped] of [['q".txt', "q%22.txt"], ["a\nb", "a%0Ab"], ["a\r\nb", "a%0D%0Ab"], ["ü.txt", "ü.txt"], ["", ""], ["a/b\\c", "a/b\\c"]]) {
  same(await encoded(form(["f", new File(["1\n2"], name, { type: "text/plain" })])),
    `--BOUND\r\nContent-Disposition: form-data; name="f"; filename="${escaped}"\r\nContent-Type: text/plain\r\n\r\n1\n2\r\n--BOUND--\r\n`, `file ${JSON.stringify(name)}`);
}
same(await encoded(form(["f", new Blob(["x"])])), '--BOUND\r\nContent-Disposition: form-data; name="f"; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--BOUND--\r\n');
check(boundaryOf(new Response(form())) !== boundaryOf(new Response(form())), "boundaries differ");
same(new Response(form(), { headers: { "content-type": "x/y" } }).headers.get("content-type"), "x/y");

// Everything comes back.
{
  const noise = crypto.getRandomValues(new Uint8Array(10000));
  const data = form(["text", "a\r\nb"], ["text", "ü"], ['n"\r\n', ""], ["file", new File([noise], "ü \".bin", { type: "x/y" })], ["empty", new File([], "")]);
  for (const body of [new Response(data), new Request("http://host/", { method: "POST", body: data })]) {
    const back = await body.formData();
    same([...back.keys()], ["text", "text", 'n"\r\n', "file", "empty"]);
    same([back.getAll("text"), back.get('n"\r\n')], [["a\r\nb", "ü"], ""]);
    const file = back.get("file");
    check(file instanceof File, "a file comes back as one");
    same([file.name, file.type, file.size], ["ü \".bin", "x/y", 10000]);
    same(await file.bytes(), noise);
    same([back.get("empty").name, back.get("empty").size, back.get("empty").type], ["", 0, "application/octet-stream"]);
  }
}

// ---- reading

const read = (body, type = "multipart/form-data; boundary=B") => new Response(body, { headers: type === null ? {} : { "content-type": type } }).formData();
const part = (head, body = "v") => `--B\r\n${head}\r\n\r\n${body}\r\n`;
const END = "--B--\r\n";
const pairs = async (...args) => [...await read(...args)].map(([k, v]) => `${k}=${typeof v === "string" ? v : `${v.name}:${v.type}:${v.size}`}`).join("|");

for (const [body, wanted, type] of [
  [END, ""],
  [part('Content-Disposition: form-data; name="a"') + END, "a=v"],
  [part('content-disposition:form-data;name="a"') + END, "a=v"],
  [part('CONTENT-DISPOSITION: Form-Data; name="a"') + END, "a=v"],
  [part('Content-Disposition: form-data; name=token') + END, "token=v"],
  [part('Content-Disposition: form-data; name="a%22%0D%0A%20b"') + END, 'a"\r\n%20b=v'],
  [part('Content-Disposition: form-data; name="back\\"') + END, "back\\=v"],
  [part('Content-Disposition: form-data; name="a"', "\r\n\r\n--b\r\n--\r\n") + END, "a=\r\n\r\n--b\r\n--\r\n"],
  [part('Content-Disposition: form-data; name="a"', "") + END, "a="],
  [part('Content-Disposition: form-data; name="a"\r\nX-Other: y\r\nContent-Type: text/plain; charset=utf-16') + END, "a=v"],
  [part('Content-Disposition: form-data; name="f"; filename="x.txt"') + END, "f=x.txt:text/plain:1"],
  [part('Content-Disposition: form-data; filename="x;y.txt"; name="f"\r\nContent-Type: Image/PNG') + END, "f=x;y.txt:image/png:1"],
  [part('Content-Disposition: form-data; name="f"; filename=""') + END, "f=:text/plain:1"],
  [part('Content-Disposition: form-data; name="ü"', "\ufeffü") + END, "ü=\ufeffü"],
  [part('Content-Disposition: form-data; name="a"') + part('Content-Disposition: form-data; name="a"', "w") + END, "a=v|a=w"],
  [part('Content-Disposition: form-data; name="__proto__"') + END, "__proto__=v"],
  ["preamble\r\n" + part('Content-Disposition: form-data; name="a"') + "--B--\r\nepilogue", "a=v"],
  [part('Content-Disposition: form-data; name="a"') + "--B--", "a=v"],
  [part('Content-Disposition: form-data; name="a"').replace("--B\r", "--B \t\r") + END, "a=v"],
  [part('Content-Disposition: form-data; name="a"') + END, "a=v", 'multipart/form-data; boundary="B"'],
  [part('Content-Disposition: form-data; name="a"') + END, "a=v", 'multipart/form-data; charset=utf-8; boundary=B'],
  [part('Content-Disposition: form-data; name="a"') + END, "a=v", 'Multipart/Form-Data; BOUNDARY=B'],
  ["a=1&b=%C3%BC+x&a=&&=n", "a=1|b=ü x|a=|=n", "application/x-www-form-urlencoded"],
  ["?a=1", "?a=1", "application/x-www-form-urlencoded;charset=utf-8"],
  ["", "", "application/x-www-form-urlencoded"],
]) same(await pairs(body, type), wanted, JSON.stringify(body));

for (const [body, type] of [
  ["", undefined], ["--B", undefined], ["--B\r\n", undefined], ["--C--\r\n", undefined], ["text", undefined],
  [part('Content-Disposition: form-data; name="a"'), undefined],
  [part('Content-Disposition: form-data; name="a"').slice(0, -3), undefined],
  [part('Content-Disposition: form-data') + END, undefined],
  [part('Content-Disposition: attachment; name="a"') + END, undefined],
  [part('Content-Disposition: form-data; name="a') + END, undefined],
  [part('Content-Type: text/plain') + END, undefined],
  [part('no colon') + END, undefined],
  [part(': no name') + END, undefined],
  ["--Bx\r\n" + END, undefined],
  ["--B\r\nContent-Disposition: form-data; name=\"a\"\r\n", undefined],
  [END, "multipart/form-data"], [END, "multipart/form-data; boundary="], [END, "multipart/mixed; boundary=B"], ["a=1", "text/plain"], ["{}", "application/json"], [new Uint8Array(1), null],
]) await rejects(read(body, type), { name: "TypeError" }, `${type ?? ""} ${JSON.stringify(body)}`);

// Limits.
await rejects(read(part('Content-Disposition: form-data; name="a"').repeat(10001) + END), { name: "TypeError" }, "too many parts");
same([...await read(part('Content-Disposition: form-data; name="a"').repeat(3000) + END)].length, 3000);
await rejects(read(part('Content-Disposition: form-data; name="a"\r\nX: ' + "y".repeat(20000)) + END), { name: "TypeError" }, "too long a header");
await rejects(read(part('Content-Disposition: form-data; name="a"' + "\r\nX: yyyyyyyyyyyyyyyyy".repeat(2000)) + END), { name: "TypeError" }, "too many headers");

// A body is read once, and a wrong one is used too.
{
  const response = new Response(form(["a", "b"]));
  await response.formData();
  check(response.bodyUsed, "the body is used");
  await rejects(response.formData(), { name: "TypeError" });
  const wrong = new Response("x", { headers: { "content-type": "multipart/form-data; boundary=B" } });
  await rejects(wrong.formData(), { name: "TypeError" });
  check(wrong.bodyUsed, "a wrong body is used, too");
}
done();
