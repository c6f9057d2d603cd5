// The bindings fetcher (a way to the network with rules of its own) and assets
// (static files): both have fetch().
import { TypeError } from "mayfly:intrinsics";
import { Writer } from "mayfly:host";
import { fetchVia } from "mayfly:fetch";
import { defineKind, handleOf, perform, respond } from "mayfly:binding";
import { defineInterface, requireArguments } from "mayfly:interface";
import { connectBinding } from "mayfly:socket";
import { PromiseReject, uncurryThis } from "mayfly:primordials";

const FETCH = 1;
const { Request, URL, Headers } = globalThis;
const requestURL = uncurryThis(Reflect.getOwnPropertyDescriptor(Request.prototype, "url").get);
const requestMethod = uncurryThis(Reflect.getOwnPropertyDescriptor(Request.prototype, "method").get);
const requestHeaders = uncurryThis(Reflect.getOwnPropertyDescriptor(Request.prototype, "headers").get);
const headersForEach = uncurryThis(Headers.prototype.forEach);
const urlPath = uncurryThis(Reflect.getOwnPropertyDescriptor(URL.prototype, "pathname").get);
const urlText = uncurryThis(Reflect.getOwnPropertyDescriptor(URL.prototype, "href").get);

let constructible = false;

// requestOf makes a Request; base is what relative URLs are relative to.
function requestOf(input, init, base) {
  if (base !== "" && typeof input === "string") return new Request(urlText(new URL(input, base)), init);
  return new Request(input, init);
}

export class Fetcher {
  #reference;
  #base;

  constructor(reference, base) {
    if (!constructible) throw new TypeError("Illegal constructor");
    this.#reference = reference;
    this.#base = base;
  }

  fetch(input, init = undefined) {
    try {
      requireArguments(arguments.length, 1, "Fetcher.fetch");
      const reference = this.#reference;
      const request = requestOf(input, init, this.#base);
      if (reference.kind === "fetcher") {
        const handle = handleOf(reference);
        return fetchVia(request, (message) => new Writer(message.length + 32).u32(handle).u8(FETCH).bytes(message).u8(0).u32(0).done());
      }
      const pairs = [];
      headersForEach(requestHeaders(request), (value, name) => { pairs[pairs.length] = [name, value]; });
      const path = urlPath(new URL(requestURL(request)));
      const args = new Writer(256).str(requestMethod(request)).str(path).pairs(pairs).done();
      return perform(reference, FETCH, args, undefined, (answer, reply) => respond(reply, answer.u32(), answer.pairs()));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  connect(address, options = undefined) {
    const reference = this.#reference;
    requireArguments(arguments.length, 1, "Fetcher.connect");
    if (reference.kind !== "fetcher") throw new TypeError("Assets take no connections.");
    return connectBinding(handleOf(reference), address, options);
  }
}
defineInterface(Fetcher);

function make(reference, base) {
  constructible = true;
  try {
    return new Fetcher(reference, base);
  } finally {
    constructible = false;
  }
}

defineKind("fetcher", make);
// Assets have no host of their own: any will do.
defineKind("assets", (reference) => make(reference, "http://assets.local/"));
