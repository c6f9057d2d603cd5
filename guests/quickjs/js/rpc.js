// Calls between isolates: what the rest of the bootstrap uses of it.
import { defineKind } from "mayfly:binding";
import { bindingLink, releaseExport, remoteLink, setEvents } from "mayfly:rpc-link";
import { serveCall, serveExport } from "mayfly:rpc-serve";
import { Fetcher, RpcPromise, RpcProperty, RpcStub, newService, newStub } from "mayfly:rpc-stub";
import { RpcTarget } from "mayfly:rpc-target";
import { decodeValue, encodeValue } from "mayfly:rpc-value";

// makeStub makes a stub of a handle of the host that lasts as long as the
// instance: an entrypoint's, which has fetch.
export const makeStub = (handle) => newService(remoteLink(handle, true));

defineKind("service", (reference) => newService(bindingLink(reference)));

export { Fetcher, RpcPromise, RpcProperty, RpcStub, RpcTarget, decodeValue, encodeValue, newStub, releaseExport, serveCall, serveExport, setEvents };
