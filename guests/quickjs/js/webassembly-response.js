// Where modules come from by HTTP (WebAssembly Web API).
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import { PromiseResolve, StringPrototypeToLowerCase, StringPrototypeTrim, getter, promiseThen, uncurryThis } from "mayfly:primordials";

const { Headers, Response } = globalThis;
const responseOk = getter(Response.prototype, "ok");
const responseHeaders = getter(Response.prototype, "headers");
const responseArrayBuffer = uncurryThis(Response.prototype.arrayBuffer);
const headersGet = uncurryThis(Headers.prototype.get);

// responseBytes are the bytes of a response, or of a promise of one.
export function responseBytes(source, what) {
  return promiseThen(PromiseResolve(source), (response) => {
    if (!(response instanceof Response)) throw new TypeError(`${what}: Argument 0 must be a Response or a Promise resolving to one`);
    if (!responseOk(response)) throw new TypeError(`${what}: HTTP status code is not ok`);
    const type = headersGet(responseHeaders(response), "content-type");
    if (type === null || StringPrototypeToLowerCase(StringPrototypeTrim(type)) !== "application/wasm") {
      throw new TypeError(`${what}: Incorrect response MIME type. Expected 'application/wasm'.`);
    }
    return promiseThen(responseArrayBuffer(response), (buffer) => new Uint8Array(buffer));
  });
}
