// Calls between isolates: what the rest of the bootstrap uses of it.
import { defineKind } from "mayfly:binding";
import { bindingLink, endExports, leasedLink, releaseExport, remoteLink, setEvents } from "mayfly:rpc-link";
import { Fetcher, RpcPromise, RpcProperty, RpcStub, newLoopback, newService, newStub } from "mayfly:rpc-stub";
import { RpcTarget } from "mayfly:rpc-target";
import { decodeValue, encodeValue, sending } from "mayfly:rpc-value";

// makeLoopback makes a stub of a handle of the host that lasts as long as the
// instance: an entrypoint's, which has fetch. It can be called: make(options) is
// its answer.
export const makeLoopback = (handle, make) => newLoopback(remoteLink(handle, true), make);

// lentStub makes a stub of the event of a handle, which ends with its last use.
export const lentStub = (handle) => newService(leasedLink(handle));

// makeLent makes one of the handle that run() answers: what run() gives out by
// messages is lent, see rpc-link.js.
export const makeLent = (run) => lentStub(lending(run));

// lending has run() write a message and send it whose stubs are lent.
export const lending = (run) => sending(run, true);

defineKind("service", (reference) => newService(bindingLink(reference)));

export { Fetcher, RpcPromise, RpcProperty, RpcStub, RpcTarget, decodeValue, encodeValue, endExports, newStub, releaseExport, setEvents };
