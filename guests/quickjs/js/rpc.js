// Calls between isolates: what the rest of the bootstrap uses of it.
import { FinalizationRegistry } from "mayfly:intrinsics";
import native from "mayfly:native";
import { defineKind } from "mayfly:binding";
import { bindingLink, drop, endExports, releaseExport, remoteLink, setEvents } from "mayfly:rpc-link";
import { serveCall, serveExport } from "mayfly:rpc-serve";
import { Fetcher, RpcPromise, RpcProperty, RpcStub, newLoopback, newService, newStub } from "mayfly:rpc-stub";
import { RpcTarget } from "mayfly:rpc-target";
import { decodeValue, encodeValue, sending } from "mayfly:rpc-value";
import { FinalizationRegistryPrototypeRegister } from "mayfly:primordials";

// makeStub makes a stub of a handle of the host that lasts as long as the
// instance: an entrypoint's, which has fetch.
export const makeStub = (handle) => newService(remoteLink(handle, true));

// makeLoopback makes one that can be called: make(options) is its answer.
export const makeLoopback = (handle, make) => newLoopback(remoteLink(handle, true), make);

// Links of stubs that may be forgotten without being disposed of.
const forgotten = new FinalizationRegistry(drop);

// makeLent makes a stub of the event of a handle that run() answers: what run()
// gives out by messages is lent, see rpc-link.js. It ends with its last use.
export function makeLent(run) {
  const link = remoteLink(lending(run), false);
  const stub = newService(link);
  FinalizationRegistryPrototypeRegister(forgotten, native.stubState(stub), link);
  return stub;
}

// lending has run() write a message and send it whose stubs are lent.
export const lending = (run) => sending(run, true);

defineKind("service", (reference) => newService(bindingLink(reference)));

export { Fetcher, RpcPromise, RpcProperty, RpcStub, RpcTarget, decodeValue, encodeValue, endExports, newStub, releaseExport, serveCall, serveExport, setEvents };
