// The answer to a dispatched fetch: a Response on its way to the host.
import { TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Writer, start } from "mayfly:host";
import { BODY_WRITE } from "mayfly:op.gen";
import { cancelReader, getReader, read } from "mayfly:streams";
import { takeHandle } from "mayfly:fetch";
import { bytesOf } from "mayfly:crypto-bytes";
import { bridge, isSocket, readyToBridge } from "mayfly:websocket";
import { ObjectGetOwnPropertyDescriptor, TypedArrayPrototypeGetByteLength, bytesSubarray, promiseThen, uncurryThis } from "mayfly:primordials";

// How native.respond is to send a body, besides the handles of the host's.
const SOCKET = -1;
const STREAM = -2;
const NOTHING = -3;

let life;

// connectResponse tells of the life of events: wait(event) has one go on until
// done(event); broken(event, error) notes why a body broke off.
export function connectResponse(functions) { life = functions; }

const methodOf = uncurryThis(ObjectGetOwnPropertyDescriptor(globalThis.Request.prototype, "method").get);

// sendResponse answers an event with a Response whose socket or stream native.respond
// has left to be sent.
export function sendResponse(event, response, sent) {
  const { id, request } = event;
  if (isSocket(sent)) {
    readyToBridge(sent);
    const handle = native.respond(id, response, request, SOCKET, false);
    if (handle !== 0) {
      life.wait(event);
      bridge(sent, handle, () => life.done(event));
    }
    return;
  }
  if (methodOf(request) === "HEAD") {
    native.respond(id, response, request, NOTHING, false);
    promiseThen(cancelReader(getReader(sent), undefined), ignore, ignore);
    return;
  }
  const passed = takeHandle(sent);
  if (passed !== 0) {
    native.respond(id, response, request, passed, false);
    return;
  }
  const reader = getReader(sent);
  const handle = native.respond(id, response, request, STREAM, false);
  if (handle !== 0) {
    life.wait(event);
    writeStream(event, handle, reader);
  }
}

// ---- streams

const LAST = 1;
const BROKEN = 2;

// PIECE is the most that is given to the host at once.
const PIECE = 1 << 20;

const none = new Uint8Array(0);
const ignore = () => {};
const message = (handle, end, bytes) => new Writer(TypedArrayPrototypeGetByteLength(bytes) + 16).u32(handle).u8(end).bytes(bytes).done();

// writeStream writes what a reader reads to a handle of the host, the next chunk
// when that has room for it.
function writeStream(event, handle, reader) {
  const over = () => life.done(event);
  const broken = (error) => {
    life.broken(event, error);
    start(BODY_WRITE, message(handle, BROKEN, none), over, over);
  };
  const unwanted = (error) => { promiseThen(cancelReader(reader, error), over, over); };
  const next = () => promiseThen(read(reader), (result) => {
    if (result.done) {
      start(BODY_WRITE, message(handle, LAST, none), over, over);
      return;
    }
    const { value } = result;
    const bytes = bytesOf(value);
    if (bytes === undefined) {
      const error = new TypeError(typeof value === "string"
        ? "This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
        : "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
      promiseThen(cancelReader(reader, error), ignore, ignore);
      broken(error);
      return;
    }
    write(bytes, 0);
  }, broken);
  const write = (bytes, from) => {
    const length = TypedArrayPrototypeGetByteLength(bytes);
    const to = from + PIECE < length ? from + PIECE : length;
    start(BODY_WRITE, message(handle, 0, from === 0 && to === length ? bytes : bytesSubarray(bytes, from, to)), to < length ? () => write(bytes, to) : next, unwanted);
  };
  next();
}
