// Bindings: what a program finds in env besides its variables. The host
// describes them when env is first looked at, and knows each by a number that
// holds for one execution; a session's objects look theirs up again.
//
// The host's packages below host/binding describe the messages of the methods.
import { Error, Map, TypeError, Uint8Array, WeakMap } from "mayfly:intrinsics";
import native from "mayfly:native";
import { Reader, Writer, call, cancel, start, utf8Decode } from "mayfly:host";
import { BINDING, BINDINGS, BODY_WRITE } from "mayfly:op.gen";
import { END, bodyMessage, sendBody } from "mayfly:body-upload";
import { bytesOf } from "mayfly:crypto";
import { blobBytes, isBlob } from "mayfly:blob";
import { isReadableStream } from "mayfly:streams";
import {
  JSONParse, MapPrototypeGet, MapPrototypeSet, ObjectDefineProperty, StringPrototypeToWellFormed, TypedArrayPrototypeGetByteLength, WeakMapPrototypeGet, WeakMapPrototypeSet, bytesSubarray, newPromise,
} from "mayfly:primordials";

const none = new Uint8Array(0);

// Bodies up to this many bytes go with the operation; larger ones follow it in
// chunks of at most as many.
const INLINE = 256 * 1024;

// ---- which bindings there are

// What a binding's object was made of, by the object.
const references = new WeakMap();

// referenceOf answers the reference of a binding, or undefined of other objects.
export const referenceOf = (object) => WeakMapPrototypeGet(references, object);

// Name → { kind, handle, value, object } of the execution; undefined until it is
// asked for.
let table;
let epoch = 0;
const makers = { __proto__: null };

// defineKind tells how a kind of binding is made: make(reference, value) answers
// its object.
export function defineKind(kind, make) { makers[kind] = make; }

// forgetBindings begins another execution in the same state.
export function forgetBindings() {
  table = undefined;
  numbered = new Map();
  epoch++;
}

// The same by handle; and those that were passed to this isolate, which have no
// name here.
let numbered = new Map();

// list asks the host for what there is; what is known already stays. Services
// have handles of their own.
function list(each) {
  const r = new Reader(call(BINDINGS, none));
  const n = r.u32();
  for (let i = 0; i < n; i++) {
    const name = r.str();
    const b = { __proto__: null, name, kind: r.str(), handle: r.u32(), value: utf8Decode(r.bytes()), object: undefined };
    const known = b.kind === "service" ? b : MapPrototypeGet(numbered, b.handle);
    if (known === undefined) MapPrototypeSet(numbered, b.handle, b);
    each(known ?? b);
  }
}

function bindings() {
  if (table !== undefined) return table;
  const fresh = { __proto__: null };
  list((b) => { if (b.name !== "") fresh[b.name] = b; });
  table = fresh;
  return fresh;
}

// The objects that were made, by name: a session's cells get the same ones.
const made = { __proto__: null };

export const bindingNames = () => bindings();

// bindingOf answers what env has under a name, or undefined.
export function bindingOf(name) {
  const b = bindings()[name];
  if (b === undefined) return undefined;
  switch (b.kind) {
    // As in Workers, each look at a variable's object sees the same one.
    case "var":
      if (b.object === undefined) b.object = { __proto__: null, value: JSONParse(b.value) };
      return b.object.value;
    case "secret": return b.value;
  }
  if (b.object !== undefined) return b.object;
  const before = made[name];
  if (before !== undefined && before.kind === b.kind && before.value === b.value) return b.object = before.object;
  if (makers[b.kind] === undefined) return undefined;
  b.object = make(b);
  made[name] = b;
  return b.object;
}

// bindingAt answers the binding that the host has under a handle: one that was
// passed to this isolate is listed from then on.
export function bindingAt(handle) {
  let b = MapPrototypeGet(numbered, handle);
  if (b === undefined) {
    list(() => {});
    b = MapPrototypeGet(numbered, handle);
  }
  if (b === undefined || makers[b.kind] === undefined) return undefined;
  return b.object ??= make(b);
}

function make(b) {
  const reference = { __proto__: null, name: b.name, kind: b.kind, epoch, handle: b.handle };
  const object = makers[b.kind](reference, b.value);
  WeakMapPrototypeSet(references, object, reference);
  return object;
}

export function handleOf(reference) {
  if (reference.epoch !== epoch) {
    const b = bindings()[reference.name];
    if (b === undefined || b.kind !== reference.kind) throw new TypeError(`The binding ${reference.name} is not there any more`);
    reference.handle = b.handle;
    reference.epoch = epoch;
  }
  return reference.handle;
}

// ---- operations

// contentOf answers what a program wants stored: bytes or a stream. undefined if
// it is neither.
export function contentOf(value) {
  if (typeof value === "string") return native.utf8Encode(StringPrototypeToWellFormed(value));
  if (isReadableStream(value)) return value;
  if (isBlob(value)) return blobBytes(value);
  return bytesOf(value);
}

const identity = (error) => error;

// perform begins an operation and answers a promise. done(answer, reply) makes
// its value of a Reader of the answer and the reply's body, see respond;
// failed(error) makes the error to reject with.
export function perform(reference, method, args, content, done, failed = identity) {
  return newPromise((resolve, reject) => {
    const handle = handleOf(reference);
    let kind = 0;
    let bytes = none;
    if (content !== undefined) {
      const whole = !isReadableStream(content) && TypedArrayPrototypeGetByteLength(content) <= INLINE;
      kind = whole ? 1 : 2;
      if (whole) bytes = content;
    }
    let upload;
    const message = new Writer(args.length + bytes.length + 32).u32(handle).u8(method).bytes(args).u8(kind).bytes(bytes).done();
    const id = start(BINDING, message, (answer) => {
      try {
        if (upload !== undefined) upload();
        const r = new Reader(answer);
        const answered = new Reader(r.bytes());
        resolve(done(answered, { __proto__: null, kind: r.u8(), bytes: r.bytes(), handle: r.u32() }));
      } catch (error) {
        reject(error);
      }
    }, (error) => {
      if (upload !== undefined) upload(error);
      reject(failed(error));
    });
    if (kind === 2) {
      upload = (isReadableStream(content) ? sendStream : sendBytes)(id, content, (error) => {
        cancel(id);
        reject(error);
      });
    }
  });
}

const ignore = () => {};

// sendBytes writes bytes as the body of an operation, a chunk at a time. It
// answers a function that gives up.
function sendBytes(id, bytes) {
  const length = TypedArrayPrototypeGetByteLength(bytes);
  let at = 0;
  let over = false;
  const next = () => {
    if (over) return;
    const to = at + INLINE < length ? at + INLINE : length;
    const chunk = bytesSubarray(bytes, at, to);
    at = to;
    over = at === length;
    // A write that fails is the operation's failure, which says so itself.
    start(BODY_WRITE, bodyMessage(id, over ? END : 0, chunk), next, ignore);
  };
  next();
  return () => { over = true; };
}

// sendStream does the same with a stream.
const sendStream = (id, stream, fail) => sendBody(id, stream, bytesOf, "The stream has a chunk that is no ArrayBuffer or view of one", INLINE, fail);

// respond makes a Response of a reply: its body is read as it is wanted.
export function respond(reply, status = 200, headers = []) {
  const message = new Writer(reply.bytes.length + 256).u32(status).str("").str("").u8(0).pairs(headers).u8(reply.kind).bytes(reply.bytes).u32(reply.handle).done();
  return native.fetchResponse(message);
}

// own gives an object a property that nobody writes to.
export function own(object, name, value) {
  ObjectDefineProperty(object, name, { __proto__: null, value, enumerable: true, configurable: true, writable: false });
}

export const newError = (message) => new Error(message);
