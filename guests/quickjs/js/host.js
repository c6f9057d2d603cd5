// Messages to and from the host: the codec of host/op/ops.json, and its
// operations as functions. Little endian; u8, u32, f64; str and bytes are a
// u32 length and that many bytes.
import native from "mayfly:native";

// Writer gathers a message, and Reader takes one apart: see c/messages.h.
export const { Writer, Reader, utf8Encode, utf8Decode } = native;

// call performs a synchronous operation and answers its bytes.
export const call = native.call;
// start(op, message, resolve, reject) begins an asynchronous operation and
// answers its id: resolve gets the answer's bytes, reject an Error.
export const start = native.start;
// cancel drops a pending operation: neither of its functions is called.
export const cancel = native.cancel;
