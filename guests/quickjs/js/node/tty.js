// node:tty: there is no terminal.
import { unavailable } from "mayfly:unavailable";

export const isatty = () => false;
const refused = unavailable("tty", "an isolate has no terminal", ["ReadStream", "WriteStream"]);
export const { ReadStream, WriteStream } = refused;
export default { ...refused, isatty };
