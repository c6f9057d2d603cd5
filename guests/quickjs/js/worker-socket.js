// The WebSocket of a response: its other end is the host's.
export function sendSocket() { return false; }
