// node:inspector: there is nothing to attach to.
import { unavailable } from "mayfly:unavailable";

const refused = unavailable("inspector", "isolates have no debugger", ["Session", "open", "waitForDebugger"]);
export const { Session, open, waitForDebugger } = refused;
export const close = () => {};
export const url = () => undefined;
export const { console } = globalThis;
export default { ...refused, close, console, url };
