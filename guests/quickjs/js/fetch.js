// fetch(), after the Fetch standard (§5.6) as far as the host's operation goes:
// policy, redirects and connections are the host's. And what the classes
// Request and Response, which are the guest's own, need of streams, blobs,
// forms and signals.
//
// Missing on purpose: caches, modes and credentials.
import { Map, Set, TypeError, Uint8Array, WeakMap } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, cancel, start } from "mayfly:host";
import { BINDING, BODY_CANCEL, BODY_READ, FETCH, STUB_FETCH, WEBSOCKET } from "mayfly:op.gen";
import { sendBody } from "mayfly:body-upload";
import { adoptBlob, blobBytes, blobType, isBlob } from "mayfly:blob";
import { decodeFormData, encodeFormData, isFormData } from "mayfly:form-data";
import {
  byteStream, getLocked, getReader, isDisturbed, isReadableStream, proxyStream, read, readAll, streamOf, tee,
} from "mayfly:streams";
import { asksForSocket, attachSocket, isSocket } from "mayfly:websocket";
import { followSignal, isAborted, isSignal, reasonOf, subscribe, unsubscribe } from "mayfly:abort";
import { answerBlob, answerData } from "mayfly:local-url";
import { matchesIntegrity } from "mayfly:integrity";
import { exposeOperations, requireArguments } from "mayfly:interface";
import { currentEvent } from "mayfly:worker-events";
import {
  ArrayPrototypePush, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag, TypedArrayPrototypeSet,
  ObjectGetOwnPropertyDescriptor, PromiseReject, PromiseResolve, StringPrototypeToLowerCase, WeakMapPrototypeGet, WeakMapPrototypeSet, newPromise, promiseThen, uncurryThis,
} from "mayfly:primordials";

// ---- bodies that the host has

// Handle of a response's body → { aborted, reason, fail, release, event }.
const bodies = new Map();

const handleMessage = (handle) => new Writer(4).u32(handle).done();

// readBody answers a promise of the next chunk, or of undefined at the end.
export function readBody(handle) {
  return newPromise((resolve, reject) => {
    const body = MapPrototypeGet(bodies, handle);
    if (body?.aborted) {
      reject(body.reason);
      return;
    }
    const operation = start(BODY_READ, handleMessage(handle), (answer) => {
      if (body !== undefined) body.fail = undefined;
      const r = new Reader(answer);
      if (r.u8() === 1) {
        release(handle);
        resolve(undefined);
      } else {
        resolve(r.bytes());
      }
    }, (error) => {
      release(handle);
      reject(error);
    });
    if (body !== undefined) {
      body.fail = (reason) => {
        cancel(operation);
        reject(reason);
      };
    }
  });
}

function release(handle) {
  const body = MapPrototypeGet(bodies, handle);
  if (body === undefined) return;
  MapPrototypeDelete(bodies, handle);
  if (body.event !== undefined) SetPrototypeDelete(body.event.bodies, handle);
  body.release();
}

const ignore = () => {};

// hold notes a body that the host has.
function hold(handle, release) {
  const event = currentEvent();
  if (event !== undefined) SetPrototypeAdd(event.bodies ??= new Set(), handle);
  MapPrototypeSet(bodies, handle, { __proto__: null, aborted: false, reason: undefined, fail: undefined, release, event });
}

// forgetBodiesOf is for the end of a worker's event: the host has none of them
// any more.
export function forgetBodiesOf(event) {
  if (event.bodies !== undefined) SetPrototypeForEach(event.bodies, release);
}

function cancelBody(handle) {
  call(BODY_CANCEL, handleMessage(handle));
  release(handle);
}

// readBodyToEnd reads without making a stream.
function readBodyToEnd(handle) {
  return newPromise((resolve, reject) => {
    const chunks = [];
    let length = 0;
    const next = (chunk) => {
      if (chunk === undefined) {
        resolve(joined(chunks, length));
        return;
      }
      ArrayPrototypePush(chunks, chunk);
      length += TypedArrayPrototypeGetByteLength(chunk);
      promiseThen(readBody(handle), next, reject);
    };
    promiseThen(readBody(handle), next, reject);
  });
}

function joined(chunks, length) {
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < chunks.length; i++) {
    TypedArrayPrototypeSet(all, chunks[i], at);
    at += TypedArrayPrototypeGetByteLength(chunks[i]);
  }
  return all;
}

// ---- bodies that are passed on

// Stream of a host's body → { handle, taken }.
const origins = new WeakMap();

export function streamOfHandle(handle) {
  const origin = { __proto__: null, handle, taken: false };
  const stream = byteStream(() => (origin.taken ? nothing : readBody(handle)), () => { if (!origin.taken) cancelBody(handle); });
  WeakMapPrototypeSet(origins, stream, origin);
  return stream;
}
const nothing = PromiseResolve(undefined);

// takeHandle takes a host's body out of its stream, if nobody has read from it:
// the stream is then locked, and at its end. It answers 0 if there is none.
export function takeHandle(stream) {
  const origin = WeakMapPrototypeGet(origins, stream);
  if (origin === undefined || origin.taken || isDisturbed(stream) || getLocked(stream)) return 0;
  origin.taken = true;
  promiseThen(read(getReader(stream)), ignore, ignore);
  return origin.handle;
}

// giveHandle takes a host's body out of its stream to pass it on.
export function giveHandle(stream) {
  const handle = takeHandle(stream);
  if (handle !== 0) release(handle);
  return handle;
}

// isOfBinding says of a host's body that it is a binding's, by the highest bit of
// its handle: those are read and written like any stream.
const isOfBinding = (stream) => {
  const origin = WeakMapPrototypeGet(origins, stream);
  return origin !== undefined && origin.handle >= 0x80000000;
};

// withHandle makes the message of a fetch whose body streams one of a fetch whose
// body is a host's: 3 for 2 as the kind of body, and the handle for bytes.
function withHandle(message, handle) {
  const length = TypedArrayPrototypeGetByteLength(message);
  const all = new Uint8Array(length + 4);
  TypedArrayPrototypeSet(all, message);
  all[length - 5] = 3;
  all[length - 4] = 4;
  TypedArrayPrototypeSet(all, handleMessage(handle), length);
  return all;
}

native.setBodyHooks({
  __proto__: null,
  isStream: isReadableStream,
  isDisturbed,
  isLocked: getLocked,
  streamFrom: (source) => (typeof source === "number" ? streamOfHandle(source) : streamOf(source)),
  readAll,
  readHandle: readBodyToEnd,
  tee,
  proxy(stream) {
    const handle = takeHandle(stream);
    return handle === 0 ? proxyStream(stream) : streamOfHandle(handle);
  },
  isBlob,
  blobParts: (blob) => ({ __proto__: null, bytes: blobBytes(blob), type: blobType(blob) }),
  makeBlob: adoptBlob,
  isFormData,
  encodeFormData,
  parseFormData: decodeFormData,
  isSignal,
  followSignal,
  isSocket,
  hold(handle) { hold(handle, ignore); },
});

// ---- fetch

const { Request } = globalThis;
const { fetchPlain } = native;

// The last part of a fetch's answer is the handle of its body.
function handleOf(answer) {
  const at = TypedArrayPrototypeGetByteLength(answer) - 4;
  return (answer[at] | (answer[at + 1] << 8) | (answer[at + 2] << 16) | (answer[at + 3] << 24)) >>> 0;
}

export function fetch(input, init = undefined) {
  try {
    requireArguments(arguments.length, 1, "fetch");
    const request = new Request(input, init);
    return fetchPlain(FETCH, 0, request) ?? newPromise((resolve, reject) => begin(request, FETCH, undefined, resolve, reject));
  } catch (error) {
    return PromiseReject(error);
  }
}

// fetchVia fetches by a binding: wrap makes its operation's message of that of
// fetch, and it answers as fetch does.
export function fetchVia(request, wrap) {
  return newPromise((resolve, reject) => begin(request, BINDING, wrap, resolve, reject));
}

// fetchStub fetches of what a stub of the host stands for. It throws where a
// request can't be sent.
export function fetchStub(request, stub) {
  return fetchPlain(STUB_FETCH, stub, request) ?? newPromise((resolve, reject) => begin(request, STUB_FETCH, (message) => new Writer(message.length + 4).u32(stub).raw(message).done(), resolve, reject));
}

function begin(request, kind, wrap, resolve, reject) {
  const parts = native.fetchMessage(request);
  let message = parts[0];
  let stream = parts[1];
  const signal = parts[2];
  if (signal !== undefined && isAborted(signal)) {
    reject(reasonOf(signal));
    return;
  }

  if (wrap === undefined && isLocal(message)) {
    try {
      finishLocal(request, message, resolve, reject);
    } catch (error) {
      reject(error);
    }
    return;
  }

  let passed = 0;
  if (stream !== undefined && kind !== BINDING && !isOfBinding(stream)) {
    passed = takeHandle(stream);
    if (passed !== 0) {
      message = withHandle(message, passed);
      stream = undefined;
    }
  }
  const integrity = integrityOf(request);

  let handle = 0;
  let upload;
  let operation = 0;
  const finish = () => {
    if (passed !== 0) release(passed);
    if (signal !== undefined) unsubscribe(signal, abort);
  };
  const abort = (reason) => {
    if (upload !== undefined) upload(reason);
    if (operation !== 0) cancel(operation);
    if (handle !== 0) {
      const body = MapPrototypeGet(bodies, handle);
      if (body !== undefined) {
        body.aborted = true;
        body.reason = reason;
        if (body.fail !== undefined) body.fail(reason);
        call(BODY_CANCEL, handleMessage(handle));
      }
    }
    reject(reason);
  };

  const upgrade = kind !== BINDING && asksForSocket(message);
  operation = start(upgrade && kind === FETCH ? WEBSOCKET : kind, wrap !== undefined ? wrap(message) : message, (answer) => {
    operation = 0;
    if (upgrade) {
      const response = native.fetchResponse(answer);
      if (attachSocket(response, answer)) {
        finish();
        resolve(response);
        return;
      }
    }
    handle = handleOf(answer);
    if (handle === 0) finish();
    else hold(handle, finish);
    if (integrity === "") resolve(native.fetchResponse(answer));
    else checkIntegrity(integrity, answer, resolve, reject);
  }, (error) => {
    operation = 0;
    finish();
    if (upload !== undefined) upload(error);
    reject(error);
  });
  if (stream !== undefined) {
    upload = send(operation, stream, (error) => {
      if (operation !== 0) cancel(operation);
      finish();
      reject(error);
    });
  }
  if (signal !== undefined) subscribe(signal, abort);
}

// ---- what is checked, and what is not on the network

const integrityOf = uncurryThis(ObjectGetOwnPropertyDescriptor(Request.prototype, "integrity").get);
const bytesOfResponse = uncurryThis(globalThis.Response.prototype.bytes);

// checkIntegrity answers with a response when its whole body was seen.
function checkIntegrity(integrity, answer, resolve, reject) {
  promiseThen(bytesOfResponse(native.fetchResponse(answer)), (bytes) => {
    if (!matchesIntegrity(integrity, bytes)) {
      reject(new TypeError("fetch failed: the response's body does not match the integrity that was asked for"));
      return;
    }
    // The same head, with the body in one piece.
    const r = new Reader(answer);
    resolve(native.fetchResponse(new Writer(512).u32(r.u32()).str(r.str()).str(r.str()).u8(r.u8()).pairs(r.pairs()).u8(1).bytes(bytes).u32(0).done()));
  }, reject);
}

// isLocal tells by the first letters of the URL, data: and blob:.
function isLocal(message) {
  const at = 8 + (message[0] | (message[1] << 8)); // after the method, which is short
  const a = message[at];
  if (message[at + 4] !== 0x3a) return false;
  return a === 0x64 ? message[at + 1] === 0x61 && message[at + 2] === 0x74 : a === 0x62 && message[at + 1] === 0x6c && message[at + 2] === 0x6f;
}

function finishLocal(request, message, resolve, reject) {
  const r = new Reader(message);
  const method = r.str();
  const url = r.str();
  const headers = r.pairs();
  let range;
  for (let i = 0; i < headers.length; i++) if (StringPrototypeToLowerCase(headers[i][0]) === "range") range = headers[i][1];
  const answer = message[8 + (message[0] | (message[1] << 8))] === 0x64 ? answerData(url) : answerBlob(url, method, range);
  const integrity = integrityOf(request);
  if (integrity === "") resolve(native.fetchResponse(answer));
  else checkIntegrity(integrity, answer, resolve, reject);
}

const bytesIn = (value) => TypedArrayPrototypeGetTag(value) === "Uint8Array" ? value : undefined;

// send writes a stream as the body of fetch id.
const send = (id, stream, fail) => sendBody(id, stream, bytesIn, "The request body's stream has a chunk that is not a Uint8Array", Infinity, fail);

exposeOperations({ fetch });
