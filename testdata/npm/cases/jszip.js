import JSZip from "jszip";
import { equal, ok, rejects } from "../check.js";

const zip = new JSZip();
zip.file("a.txt", "hello ".repeat(200));
zip.folder("d").file("b.bin", new Uint8Array([0, 1, 255]));
const bytes = await zip.generateAsync({ type: "uint8array", compression: "DEFLATE" });
ok(bytes.length < 600, "not compressed");
equal([...bytes.slice(0, 4)], [0x50, 0x4b, 3, 4]);
const read = await JSZip.loadAsync(bytes);
equal(Object.keys(read.files).sort(), ["a.txt", "d/", "d/b.bin"]);
equal(await read.file("a.txt").async("string"), "hello ".repeat(200));
equal([...await read.file("d/b.bin").async("uint8array")], [0, 1, 255]);
await rejects(JSZip.loadAsync("not a zip"), /end of central directory/);
equal((await zip.generateAsync({ type: "base64" })).slice(0, 4), "UEsD");
