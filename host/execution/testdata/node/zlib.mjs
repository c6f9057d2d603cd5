import zlib from "node:zlib";
import { promisify } from "node:util";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { buffer, text } from "node:stream/consumers";

const log = console.log;
const data = "compress me ".repeat(1000);
for (const [pack, unpack] of [["deflate", "inflate"], ["deflateRaw", "inflateRaw"], ["gzip", "gunzip"], ["brotliCompress", "brotliDecompress"], ["gzip", "unzip"], ["deflate", "unzip"]]) {
  const packed = zlib[`${pack}Sync`](data);
  log(pack, packed.length < 300, zlib[`${unpack}Sync`](packed).toString() === data);
  const later = await promisify(zlib[pack])(Buffer.from(data));
  log((await promisify(zlib[unpack])(later)).length);
  const name = pack[0].toUpperCase() + pack.slice(1);
  const other = unpack[0].toUpperCase() + unpack.slice(1);
  log((await text(Readable.from([data.slice(0, 5000), data.slice(5000)]).pipe(zlib[`create${name}`]()).pipe(zlib[`create${other}`]()))) === data);
}
log(zlib.inflateSync(Buffer.from("eJxLBAAAYgBi", "base64")).toString(), zlib.gunzipSync(Buffer.concat([zlib.gzipSync("a"), zlib.gzipSync("b")])).toString());
for (const f of [() => zlib.inflateSync(Buffer.from([1, 2, 3])), () => zlib.gunzipSync(zlib.gzipSync(data).subarray(0, 20)), () => zlib.gunzipSync(zlib.gzipSync(data), { maxOutputLength: 10 }), () => zlib.inflateSync(5)]) {
  try { log(f()); } catch (error) { log(error.name, error.code, error.errno); }
}
log(await buffer(Readable.from([Buffer.from([1, 2, 3])]).pipe(zlib.createInflate())).catch((error) => error.code));
log(zlib.gunzipSync(zlib.gzipSync(data).subarray(0, 60), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).length > 0);
const flushing = zlib.createGzip();
flushing.write("abc");
await new Promise((resolve) => flushing.flush(resolve));
log(flushing.read()?.length > 0);
flushing.end();
await pipeline(Readable.from(["x"]), zlib.createGzip({ level: 9 }), zlib.createGunzip(), async (source) => { for await (const chunk of source) log(chunk.toString()); });
log(zlib.constants.Z_BEST_COMPRESSION, zlib.constants.BROTLI_PARAM_QUALITY, zlib.codes.Z_BUF_ERROR, new zlib.Deflate() instanceof zlib.Deflate);
