import iconv from "iconv-lite";
import { equal } from "../check.js";

equal(iconv.decode(Buffer.from([0x8a, 0x82, 0x81]), "win1252").length, 3);
equal(iconv.encode("€ü", "win1252").toString("hex"), "80fc");
equal(iconv.decode(Buffer.from("93fa967b", "hex"), "shift_jis"), "日本");
equal(iconv.encode("中文", "gbk").toString("hex"), "d6d0cec4");
equal(iconv.decode(iconv.encode("привет", "koi8-r"), "koi8-r"), "привет");
equal(iconv.encode("aä", "utf16-be").toString("hex"), "006100e4");
equal([iconv.encodingExists("latin1"), iconv.encodingExists("nope")], [true, false]);
const decoder = iconv.getDecoder("utf8");
equal(decoder.write(Buffer.from([0xc3])) + decoder.write(Buffer.from([0xa4])), "ä");
