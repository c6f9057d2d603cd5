// BufferSource (Web IDL): bytes that a caller hands over.
import { TypeError } from "mayfly:intrinsics";
import { isAnyArrayBuffer, isArrayBuffer, isDataView } from "mayfly:types";
import {
  ArrayBufferIsView, DataViewPrototypeGetBuffer, DataViewPrototypeGetByteLength, DataViewPrototypeGetByteOffset, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetTag, bytesCopy,
} from "mayfly:primordials";

const IntrinsicUint8Array = Uint8Array;

// bytesOf answers a view of a BufferSource's bytes, undefined for other values.
export function bytesOf(source) {
  if (TypedArrayPrototypeGetTag(source) === "Uint8Array") return source;
  if (ArrayBufferIsView(source)) {
    return isDataView(source)
      ? new IntrinsicUint8Array(DataViewPrototypeGetBuffer(source), DataViewPrototypeGetByteOffset(source), DataViewPrototypeGetByteLength(source))
      : new IntrinsicUint8Array(TypedArrayPrototypeGetBuffer(source), TypedArrayPrototypeGetByteOffset(source), TypedArrayPrototypeGetByteLength(source));
  }
  return isAnyArrayBuffer(source) ? new IntrinsicUint8Array(source) : undefined;
}

// toBytes is bytesOf for arguments: a TypeError for what is no BufferSource.
export function toBytes(source, what) {
  const bytes = bytesOf(source);
  if (bytes === undefined) throw new TypeError(`${what} is not an ArrayBuffer or a view of one`);
  const buffer = bytes === source ? TypedArrayPrototypeGetBuffer(bytes) : undefined;
  if (buffer !== undefined && !isArrayBuffer(buffer)) throw new TypeError(`${what} must not be shared`);
  return bytes;
}

export const copyOf = (source, what) => bytesCopy(toBytes(source, what));

// bufferOf answers the ArrayBuffer of bytes that own theirs.
export const bufferOf = (bytes) => TypedArrayPrototypeGetBuffer(bytes);
export const sizeOf = TypedArrayPrototypeGetByteLength;
