// node:dgram: nothing of it can be had.
import { unavailable } from "mayfly:unavailable";

const module = unavailable("dgram", "an isolate has no sockets; use fetch", ["Socket", "createSocket"]);
export default module;
export const { Socket, createSocket } = module;
