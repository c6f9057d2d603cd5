// node:tls: names; connections can't be had.
import { unavailable } from "mayfly:unavailable";

const refused = unavailable("tls", "an isolate has no sockets; use fetch", ["Server", "TLSSocket", "checkServerIdentity", "connect", "createSecureContext", "createServer"]);
export const { Server, TLSSocket, checkServerIdentity, connect, createSecureContext, createServer } = refused;
export const SecureContext = function SecureContext() {};
export const getCiphers = () => [];
export const rootCertificates = Object.freeze([]);
export const DEFAULT_ECDH_CURVE = "auto", DEFAULT_MAX_VERSION = "TLSv1.3", DEFAULT_MIN_VERSION = "TLSv1.2", DEFAULT_CIPHERS = "";
export default { ...refused, DEFAULT_CIPHERS, DEFAULT_ECDH_CURVE, DEFAULT_MAX_VERSION, DEFAULT_MIN_VERSION, SecureContext, getCiphers, rootCertificates };
