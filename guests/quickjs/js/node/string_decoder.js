// node:string_decoder, from the package string_decoder (MIT: node's own).
import { StringDecoder } from "mayfly:stream";

export { StringDecoder };
export default { StringDecoder };
