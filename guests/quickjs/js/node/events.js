// node:events
import { EventEmitter } from "mayfly:emitter";

export default EventEmitter;
export { EventEmitter };
export const { captureRejectionSymbol, defaultMaxListeners, errorMonitor, getEventListeners, getMaxListeners, listenerCount, on, once, setMaxListeners } = EventEmitter;
