// The module cloudflare:sockets.
import { Socket, connect } from "mayfly:socket";

export { Socket, connect };
export default { Socket, connect };
