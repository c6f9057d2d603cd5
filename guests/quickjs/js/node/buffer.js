// node:buffer
import { Buffer, INSPECT_MAX_BYTES, SlowBuffer, constants, isAscii, isUtf8, kMaxLength } from "mayfly:buffer";

const { Blob, File, atob, btoa } = globalThis;
const kStringMaxLength = constants.MAX_STRING_LENGTH;
export { Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength };
export default { Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength };
