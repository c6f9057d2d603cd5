import * as pako from "pako";
import { equal, ok, throws } from "../check.js";

const text = "compress me ".repeat(500);
const packed = pako.deflate(text);
ok(packed.length < 200, "not compressed");
equal(pako.inflate(packed, { to: "string", toText: true }).length, 6000);
equal(new TextDecoder().decode(pako.ungzip(pako.gzip(text))), text);
equal([...pako.gzip("x").slice(0, 3)], [31, 139, 8]);
equal(new TextDecoder().decode(pako.inflateRaw(pako.deflateRaw("raw"))), "raw");
throws(() => pako.inflate(new Uint8Array([1, 2, 3])), /incorrect header check/);
equal([...pako.deflate("a")], [120, 156, 75, 4, 0, 0, 98, 0, 98]);
