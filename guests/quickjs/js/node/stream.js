// node:stream
import { stream } from "mayfly:stream";

export default stream;
export const {
  Duplex, PassThrough, Readable, Stream, Transform, Writable, addAbortSignal, compose, destroy, finished, getDefaultHighWaterMark, isDisturbed, isErrored, isReadable,
  isWritable, pipeline, promises, setDefaultHighWaterMark,
} = stream;
export const { _isArrayBufferView, _isUint8Array, _uint8ArrayToBuffer } = stream;
