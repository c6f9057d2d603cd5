// node:stream/promises
import { stream } from "mayfly:stream";

export default stream.promises;
export const { finished, pipeline } = stream.promises;
