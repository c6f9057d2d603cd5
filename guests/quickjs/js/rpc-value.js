// What goes with values from isolate to isolate, and is not the language's own:
// stubs, streams, bindings, and the classes of the platform. native.h's part is
// in value.h, the table of tags in the Go package host/rpc.
import { DOMException, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { followSignal, isAborted, isSignal, reasonOf } from "mayfly:abort";
import { bindingAt, handleOf, referenceOf } from "mayfly:binding";
import { adoptBlob, blobBytes, blobType, fileDetails, isBlob, newFile } from "mayfly:blob";
import { giveHandle, streamOfHandle } from "mayfly:fetch";
import { getLocked, isReadableStream, isWritableStream, writableLocked } from "mayfly:streams";
import { cancelPipe, openPipe, readSignal, readStream, writableOf, writeSignal, writeStream } from "mayfly:rpc-stream";
import { drop, exportLink, holding, isLocal, linkHandle, localLink, releaseExport, remoteLink, requireLink, setLending } from "mayfly:rpc-link";
import { disposeState, isService, newService, newStub, settleCall, stubLink } from "mayfly:rpc-stub";
import { isRpcTarget, ownMembers } from "mayfly:rpc-target";
import {
  ArrayPrototypePush, ArrayPrototypeSplice, ObjectDefineProperty, ObjectGetPrototypeOf, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, bytesCopy, getter, newPromise, promiseThen, uncurryThis,
} from "mayfly:primordials";

const { dispose: SymbolDispose } = Symbol;
const ObjectPrototype = Object.prototype;
const { AbortController, Headers, Request, Response } = globalThis;
const { className, stubKind, stubState } = native;

// Tags.
const STUB = 60010;
const SERVICE = 60011;
const READABLE = 60012;
const WRITABLE = 60013;
const BINDING = 60014;
const SIGNAL = 60015;
const DISPOSABLE = 60016;
const BLOB = 60020;
const FILE = 60021;
const HEADERS = 60022;
const REQUEST = 60023;
const RESPONSE = 60024;

// Kinds of capabilities.
const TARGET = 1;
const HELD = 2;
const READABLE_KIND = 3;
const WRITABLE_KIND = 4;
const BINDING_KIND = 5;
const BODY = 6;
const LOCAL = 200; // of a copy in this isolate: the place in locals, from 1 on

// ---- writing

let locals; // of a copy in this isolate: the objects that it shares
const given = []; // what is to be done when the message under way has gone, or has not

const refused = (name) => new DOMException(`Could not serialize object of type "${name}". This type does not support serialization.`, "DataCloneError");

// give adds what is told of later to the message under way.
const give = (commit, undo) => { ArrayPrototypePush(given, { __proto__: null, commit, undo }); };

const shared = (object) => native.capability(LOCAL, ArrayPrototypePush(locals, object));

function giveLink(link) {
  if (locals !== undefined) {
    link.count++;
    give(undefined, () => drop(link));
    return shared(link);
  }
  if (!isLocal(link)) {
    // Held until the message has gone: it may wait for another call.
    link.count++;
    give(() => drop(link), () => drop(link));
    return native.capability(HELD, linkHandle(link));
  }
  const id = exportLink(link);
  give(undefined, () => releaseExport(id));
  return native.capability(TARGET, id);
}

// giveNew makes a stub of an object of this isolate, which the message holds.
function giveNew(object, own) {
  const link = localLink(object, own);
  const place = giveLink(link);
  drop(link);
  return place;
}

// What a stream's bytes go through stays open until they have gone.
function giveStream(kind, begin) {
  const handle = openPipe();
  give(() => begin(handle, holding()), () => cancelPipe(handle));
  return native.capability(kind, handle);
}

function giveReadable(stream) {
  if (getLocked(stream)) throw new TypeError("The ReadableStream has been locked to a reader.");
  if (locals !== undefined) return shared(stream);
  const body = giveHandle(stream);
  return body !== 0 ? native.capability(BODY, body) : giveStream(READABLE_KIND, (handle, over) => writeStream(handle, stream, over));
}

function giveWritable(stream) {
  if (writableLocked(stream)) throw new TypeError("The WritableStream has been locked to a writer.");
  if (locals !== undefined) return shared(stream);
  return giveStream(WRITABLE_KIND, (handle, over) => readStream(handle, stream, over));
}

// An AbortSignal goes as a pipe of one message, its reason.
function giveSignal(signal) {
  if (isAborted(signal)) return [true, reasonOf(signal), null];
  if (locals !== undefined) return [false, undefined, shared(signal)];
  const handle = openPipe();
  give(() => writeSignal(handle, signal), () => cancelPipe(handle));
  return [false, undefined, native.capability(READABLE_KIND, handle)];
}

// whole answers the ArrayBuffer of bytes, which has nothing else.
function whole(bytes) {
  const buffer = TypedArrayPrototypeGetBuffer(bytes);
  return buffer.byteLength === TypedArrayPrototypeGetByteLength(bytes) ? buffer : TypedArrayPrototypeGetBuffer(bytesCopy(bytes));
}

const headersForEach = uncurryThis(Headers.prototype.forEach);
function listOf(headers) {
  const list = [];
  headersForEach(headers, (value, name) => { ArrayPrototypePush(list, name, value); });
  return list;
}

function bodyOf(message) {
  const body = native.takeBody(message);
  return body === null || isReadableStream(body) ? body : whole(body);
}

const request = (name) => getter(Request.prototype, name);
const requestMethod = request("method");
const requestURL = request("url");
const requestHeaders = request("headers");
const requestRedirect = request("redirect");
const requestIntegrity = request("integrity");
const requestSignal = request("signal");
const response = (name) => getter(Response.prototype, name);
const responseStatus = response("status");
const responseText = response("statusText");
const responseHeaders = response("headers");
const responseURL = response("url");

function requestParts(object) {
  const more = { redirect: requestRedirect(object) };
  const integrity = requestIntegrity(object);
  if (integrity !== "") more.integrity = integrity;
  const signal = requestSignal(object);
  if (signal !== undefined && signal !== null) more.signal = signal;
  const { cf } = object;
  if (typeof cf === "object" && cf !== null) more.cf = cf;
  return [requestMethod(object), requestURL(object), listOf(requestHeaders(object)), bodyOf(object), more];
}

function responseParts(object) {
  const status = responseStatus(object);
  if (status === 101) throw refused("WebSocket");
  return [status, responseText(object), listOf(responseHeaders(object)), bodyOf(object), { url: responseURL(object) }];
}

// A Disposable is a result whose disposal is told to a link.
class Disposable {
  #value;
  #link;
  constructor(value, link) {
    this.#value = value;
    this.#link = link;
  }
  static parts(object) {
    return #link in object ? [object.#value, giveLink(object.#link)] : undefined;
  }
}
const disposableParts = Disposable.parts;

function encode(object) {
  const stub = stubLink(object);
  if (stub !== undefined) {
    if (stub === null) throw refused(ObjectGetPrototypeOf(object).constructor.name);
    return [isService(stub) ? SERVICE : STUB, giveLink(requireLink(stub.link))];
  }
  if (native.isProxy(object)) {
    const own = ownMembers(object);
    if (own === undefined) throw new DOMException("Proxy could not be serialized because it is not a valid RPC receiver type. The Proxy must emulate either a plain object or an RpcTarget, as indicated by the Proxy's prototype chain.", "DataCloneError");
    return [STUB, giveNew(object, own)];
  }
  if (typeof object === "function") return [STUB, giveNew(object, true)];
  switch (className(object)) {
    case "Headers": return [HEADERS, listOf(object)];
    case "Request": return [REQUEST, requestParts(object)];
    case "Response": return [RESPONSE, responseParts(object)];
    case "Object": break;
    default: return undefined;
  }
  if (isRpcTarget(object)) return [STUB, giveNew(object, false)];
  const parts = disposableParts(object);
  if (parts !== undefined) return [DISPOSABLE, parts];
  if (isBlob(object)) {
    const details = fileDetails(object);
    const bytes = whole(blobBytes(object));
    return details === undefined ? [BLOB, [blobType(object), bytes]] : [FILE, [blobType(object), bytes, details.name, details.lastModified]];
  }
  if (isSignal(object)) return [SIGNAL, giveSignal(object)];
  const reference = referenceOf(object);
  if (reference !== undefined) return [BINDING, locals !== undefined ? shared(object) : native.capability(BINDING_KIND, handleOf(reference))];
  if (isReadableStream(object)) return [READABLE, giveReadable(object)];
  if (isWritableStream(object)) return [WRITABLE, giveWritable(object)];
  return undefined;
}

function undoAll(list) {
  for (let i = list.length - 1; i >= 0; i--) if (list[i].undo !== undefined) list[i].undo();
}

function commitAll(list) {
  for (let i = 0; i < list.length; i++) if (list[i].commit !== undefined) list[i].commit();
}

// beginMessage begins to write a message that is sent at once, and whose stubs are
// lent or not; endMessage, or failMessage, ends that with what it answered. A
// message may be written while another is: by a getter.
const outside = []; // locals of the messages around
export function beginMessage(lent) {
  const outer = given.length * 4 + (locals === undefined ? 0 : 2) + (setLending(lent) ? 1 : 0);
  if (locals !== undefined) {
    ArrayPrototypePush(outside, locals);
    locals = undefined;
  }
  return outer;
}

function leaveMessage(outer) {
  if ((outer & 2) !== 0) {
    locals = outside[outside.length - 1];
    outside.length--;
  }
  setLending((outer & 1) !== 0);
}

// takeGiven answers what was given since there were so many, if anything.
function takeGiven(from) {
  if (given.length === from) return undefined;
  return ArrayPrototypeSplice(given, from, given.length - from);
}

export function endMessage(outer) {
  leaveMessage(outer);
  const mine = takeGiven(outer >>> 2);
  if (mine !== undefined) commitAll(mine);
}

export function failMessage(outer) {
  leaveMessage(outer);
  const mine = takeGiven(outer >>> 2);
  if (mine !== undefined) undoAll(mine);
}

// sending has run() write a message and send it.
export function sending(run, lent) {
  const outer = beginMessage(lent);
  let value;
  try {
    value = run();
  } catch (error) {
    failMessage(outer);
    throw error;
  }
  endMessage(outer);
  return value;
}

// encodeValue answers a value as the wire has it.
export const encodeValue = (value) => sending(() => native.encodeValue(value), false);

// encodeLater writes arguments that are sent later, or abandoned.
export function encodeLater(args) {
  const outer = beginMessage(true);
  let value;
  try {
    value = native.encodeValue(args);
  } catch (error) {
    failMessage(outer);
    throw error;
  }
  leaveMessage(outer);
  const mine = takeGiven(outer >>> 2) ?? [];
  return { __proto__: null, value, sent: () => commitAll(mine), abandon: () => undoAll(mine) };
}

// ---- reading

let gathered; // the stubs that are made of the message under way
let permanent = false;

function decodeSignal(parts) {
  const controller = new AbortController();
  if (parts[0]) {
    abortController(controller, parts[1]);
  } else if (parts[2] !== null) {
    const [kind, handle] = native.capabilityAt(parts[2]);
    if (kind === LOCAL) return followSignal(locals[handle - 1]);
    readSignal(handle, (reason) => abortController(controller, reason));
  }
  return signalOf(controller);
}
const signalOf = getter(AbortController.prototype, "signal");
const abortController = uncurryThis(AbortController.prototype.abort);

function newHeaders(list) {
  const headers = new Headers();
  for (let i = 0; i < list.length; i += 2) headersAppend(headers, list[i], list[i + 1]);
  return headers;
}
const headersAppend = uncurryThis(Headers.prototype.append);

const bodyInit = (body) => (body === null || isReadableStream(body) ? body : new Uint8Array(body));

function newRequest(parts) {
  const { redirect, integrity, signal, cf } = parts[4];
  const made = new Request(parts[1], { __proto__: null, method: parts[0], headers: newHeaders(parts[2]), body: bodyInit(parts[3]), duplex: "half", redirect, integrity, signal });
  if (cf !== undefined) ObjectDefineProperty(made, "cf", { __proto__: null, value: cf, writable: true, enumerable: true, configurable: true });
  return made;
}

const newResponse = (parts) => new Response(bodyInit(parts[3]), { __proto__: null, status: parts[0], statusText: parts[1], headers: newHeaders(parts[2]) });

function stubOf(link, service) {
  const stub = service ? newService(link) : newStub(link);
  if (gathered !== undefined) ArrayPrototypePush(gathered, stubState(stub));
  return stub;
}

function decode(tag, content, kind) {
  switch (tag) {
    case STUB:
    case SERVICE: return stubOf(kind === LOCAL ? hold(locals[content - 1]) : remoteLink(content, permanent), tag === SERVICE);
    case READABLE: return kind === LOCAL ? locals[content - 1] : streamOfHandle(content);
    case WRITABLE: return kind === LOCAL ? locals[content - 1] : writableOf(content);
    case BINDING: return kind === LOCAL ? locals[content - 1] : bindingAt(content);
    case SIGNAL: return decodeSignal(content);
    case DISPOSABLE: {
      const [of, handle] = native.capabilityAt(content[1]);
      const link = of === LOCAL ? hold(locals[handle - 1]) : remoteLink(handle, permanent);
      if (gathered !== undefined) ArrayPrototypePush(gathered, { __proto__: null, link });
      return content[0];
    }
    case BLOB: return adoptBlob(new Uint8Array(content[1]), content[0]);
    case FILE: return newFile(new Uint8Array(content[1]), content[0], content[2], content[3]);
    case HEADERS: return newHeaders(content);
    case REQUEST: return newRequest(content);
    case RESPONSE: return newResponse(content);
  }
  return undefined;
}

function hold(link) {
  link.count++;
  return link;
}

native.setValueHooks({ __proto__: null, encode, decode });

export function disposeAll(list) {
  for (let i = 0; i < list.length; i++) disposeState(list[i]);
}

// decodeArguments reads the arguments of a call: { value, stubs }, where the stubs
// are those in it.
export function decodeArguments(bytes, at) {
  const outer = gathered;
  const stubs = gathered = [];
  try {
    return { __proto__: null, value: native.decodeValue(bytes, at), stubs };
  } catch (error) {
    disposeAll(stubs);
    throw error;
  } finally {
    gathered = outer;
  }
}

// decodeValue reads a value; that of something which lasts as long as the
// instance has stubs that do.
export function decodeValue(bytes, at = 0, lasting = false) {
  const outer = gathered;
  gathered = undefined;
  permanent = lasting;
  try {
    return native.decodeValue(bytes, at);
  } finally {
    gathered = outer;
    permanent = false;
  }
}

// disposable gives the result of a call the means to dispose of what is in it.
function disposable(value, stubs) {
  native.setDisposer(value, stubs.length === 0 ? nothingToDispose : () => disposeAll(stubs));
  return value;
}
const nothingToDispose = () => {};

native.setCalls({ __proto__: null, begin: beginMessage, end: endMessage, fail: failMessage, settle: settleCall, dispose: nothingToDispose });

// decodeResult reads the result of a call.
export function decodeResult(bytes) {
  const outer = gathered;
  const mine = gathered = [];
  try {
    return disposable(native.decodeValue(bytes, 0), mine);
  } catch (error) {
    disposeAll(mine);
    throw error;
  } finally {
    gathered = outer;
  }
}

// withDisposal is what goes for a result: a plain object may have a method that
// is called when the caller has done with it.
export function withDisposal(value) {
  if (typeof value !== "object" || value === null || ObjectGetPrototypeOf(value) !== ObjectPrototype) return { __proto__: null, value, link: undefined };
  const dispose = value[SymbolDispose];
  if (typeof dispose !== "function" || stubKind(dispose) !== 0) return { __proto__: null, value, link: undefined };
  const link = localLink(value, true);
  return { __proto__: null, value: new Disposable(value, link), link };
}

// ---- copies in this isolate

function copy(value) {
  const outer = locals;
  const from = given.length;
  locals = [];
  try {
    const bytes = native.encodeValue(value);
    return decodeArguments(bytes, 0);
  } finally {
    // What was read holds its own.
    const mine = takeGiven(from);
    if (mine !== undefined) undoAll(mine);
    locals = outer;
  }
}

// copyValue copies arguments: { value, dispose }.
export function copyValue(value) {
  const { value: made, stubs } = copy(value);
  return { __proto__: null, value: made, dispose: () => disposeAll(stubs) };
}

// copyResult copies what a call answers.
export function copyResult(value) {
  const { value: result, link } = withDisposal(value);
  try {
    const { value: made, stubs } = copy(result);
    return disposable(made, stubs);
  } finally {
    if (link !== undefined) drop(link);
  }
}
