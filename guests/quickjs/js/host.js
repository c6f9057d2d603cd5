// Messages to and from the host: the codec of host/op/ops.json, and its
// operations as functions. Little endian; u8, u32, f64; str and bytes are a
// u32 length and that many bytes.
import native from "mayfly:native";
import {
  DataViewPrototypeGetFloat64, DataViewPrototypeSetFloat64, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeSet, bytesSubarray,
} from "mayfly:primordials";

const { utf8Encode, utf8Decode } = native;
const IntrinsicUint8Array = Uint8Array;
const IntrinsicDataView = DataView;

// Writer gathers a message.
export class Writer {
  #bytes;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new IntrinsicUint8Array(capacity);
  }

  #reserve(n) {
    const at = this.#length;
    const end = at + n;
    if (end > this.#bytes.length) {
      const grown = new IntrinsicUint8Array(end > 2 * at ? end : 2 * at);
      TypedArrayPrototypeSet(grown, bytesSubarray(this.#bytes, 0, at));
      this.#bytes = grown;
    }
    this.#length = end;
    return at;
  }

  u8(v) {
    const at = this.#reserve(1);
    this.#bytes[at] = v;
    return this;
  }

  u32(v) {
    const at = this.#reserve(4);
    const b = this.#bytes;
    b[at] = v;
    b[at + 1] = v >>> 8;
    b[at + 2] = v >>> 16;
    b[at + 3] = v >>> 24;
    return this;
  }

  f64(v) {
    const at = this.#reserve(8);
    DataViewPrototypeSetFloat64(new IntrinsicDataView(TypedArrayPrototypeGetBuffer(this.#bytes)), at, v, true);
    return this;
  }

  bytes(bytes) {
    const n = TypedArrayPrototypeGetByteLength(bytes);
    this.u32(n);
    const at = this.#reserve(n);
    TypedArrayPrototypeSet(this.#bytes, bytes, at);
    return this;
  }

  // raw writes bytes without their length.
  raw(bytes) {
    const at = this.#reserve(TypedArrayPrototypeGetByteLength(bytes));
    TypedArrayPrototypeSet(this.#bytes, bytes, at);
    return this;
  }

  str(s) {
    return this.bytes(utf8Encode(s));
  }

  // raw writes bytes without their length.
  raw(bytes) {
    const at = this.#reserve(TypedArrayPrototypeGetByteLength(bytes));
    TypedArrayPrototypeSet(this.#bytes, bytes, at);
    return this;
  }

  // pairs writes a list of [name, value] strings.
  pairs(list) {
    this.u32(list.length);
    for (let i = 0; i < list.length; i++) {
      this.str(list[i][0]);
      this.str(list[i][1]);
    }
    return this;
  }

  done() {
    return bytesSubarray(this.#bytes, 0, this.#length);
  }
}

// Reader takes a message of the host apart. The host is trusted to be well
// formed: a short message reads as undefined and NaN.
export class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  u8() {
    return this.#bytes[this.#at++];
  }

  u32() {
    const b = this.#bytes;
    const at = this.#at;
    this.#at = at + 4;
    return (b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24)) >>> 0;
  }

  f64() {
    const view = new IntrinsicDataView(TypedArrayPrototypeGetBuffer(this.#bytes), TypedArrayPrototypeGetByteOffset(this.#bytes));
    const v = DataViewPrototypeGetFloat64(view, this.#at, true);
    this.#at += 8;
    return v;
  }

  // bytes answers a view of the message.
  bytes() {
    const n = this.u32();
    const at = this.#at;
    this.#at = at + n;
    return bytesSubarray(this.#bytes, at, at + n);
  }

  str() {
    return utf8Decode(this.bytes());
  }

  pairs() {
    const n = this.u32();
    const list = [];
    for (let i = 0; i < n; i++) list[i] = [this.str(), this.str()];
    return list;
  }
}

// call performs a synchronous operation and answers its bytes.
export const call = native.call;
// start(op, message, resolve, reject) begins an asynchronous operation and
// answers its id: resolve gets the answer's bytes, reject an Error.
export const start = native.start;
// cancel drops a pending operation: neither of its functions is called.
export const cancel = native.cancel;
export { utf8Encode, utf8Decode };
