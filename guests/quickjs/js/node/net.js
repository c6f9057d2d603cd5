// node:net: what it knows of addresses; sockets can't be had.
import { stream } from "mayfly:stream";
import { refusal, unavailable } from "mayfly:unavailable";

const why = "an isolate has no sockets; use fetch";
const V4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const { URL } = globalThis;

export const isIPv4 = (input) => V4.test(`${input}`);
export function isIPv6(input) {
  const [address, zone] = `${input}`.split("%", 2);
  if (!address.includes(":") || /[^\da-f:.]/i.test(address) || zone === "") return false;
  try {
    new URL(`http://[${address}]/`);
    return true;
  } catch {
    return false;
  }
}
export const isIP = (input) => (isIPv4(input) ? 4 : isIPv6(input) ? 6 : 0);

// A Socket can be made, since libraries do, but not connected.
export class Socket extends stream.Duplex {
  constructor(options = undefined) {
    super(options);
    this.connecting = false;
    this.bytesRead = this.bytesWritten = 0;
  }
  connect() { throw refusal("net.Socket.connect", why); }
  setKeepAlive() { return this; }
  setNoDelay() { return this; }
  setTimeout() { return this; }
  ref() { return this; }
  unref() { return this; }
  address() { return {}; }
  _read() { this.destroy(refusal("net.Socket", why)); }
  _write(chunk, encoding, callback) { callback(refusal("net.Socket", why)); }
}
export class SocketAddress {
  constructor({ address = "127.0.0.1", port = 0, family = isIPv6(address) ? "ipv6" : "ipv4", flowlabel = 0 } = {}) {
    Object.assign(this, { address, port, family, flowlabel });
  }
}
const refused = unavailable("net", why, ["BlockList", "Server", "connect", "createConnection", "createServer"]);
export const { BlockList, Server, connect, createConnection, createServer } = refused;
export const getDefaultAutoSelectFamily = () => true;
export const setDefaultAutoSelectFamily = () => {};
export const getDefaultAutoSelectFamilyAttemptTimeout = () => 250;
export const setDefaultAutoSelectFamilyAttemptTimeout = () => {};
export { Socket as Stream };
export default {
  ...refused, Socket, SocketAddress, Stream: Socket, getDefaultAutoSelectFamily, getDefaultAutoSelectFamilyAttemptTimeout, isIP, isIPv4, isIPv6,
  setDefaultAutoSelectFamily, setDefaultAutoSelectFamilyAttemptTimeout,
};
