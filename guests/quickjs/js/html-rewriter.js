// HTMLRewriter, as Workers have it: a response's markup is rewritten while it
// streams. It lives in the guest: what it knows of a document is in the isolate's
// own memory, under the isolate's own limits, and goes where the isolate goes.
//
// The source is not parsed into a tree and not repaired. Tags are tokenized as
// the HTML standard does it (13.2.5), elements are open from their start tag to
// the end tag with their name, or to that of an element around them. What nobody
// changes comes out as the bytes that came in. The source is taken for UTF-8.
import { TypeError } from "mayfly:intrinsics";
import { byteStream, cancelReader, getReader, read } from "mayfly:streams";
import { parseSelector } from "mayfly:html-selector";
import { Rewriting } from "mayfly:html-rewriting";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, ObjectGetOwnPropertyDescriptor, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag, bytesSubarray, promiseThen, uncurryThis,
} from "mayfly:primordials";

const { Headers, Response } = globalThis;
const getterOf = (prototype, name) => uncurryThis(ObjectGetOwnPropertyDescriptor(prototype, name).get);
const bodyOf = getterOf(Response.prototype, "body");
const statusOf = getterOf(Response.prototype, "status");
const statusTextOf = getterOf(Response.prototype, "statusText");
const headersOf = getterOf(Response.prototype, "headers");
const deleteHeader = uncurryThis(Headers.prototype.delete);

// How much of the source is worked on at once.
const PART = 64 << 10;

export class HTMLRewriter {
  #sets = [];      // of on(): { chains, element, comments, text }
  #documents = []; // of onDocument(): { doctype, comments, text, end }

  on(selector, handlers) {
    requireArguments(arguments.length, 2, "HTMLRewriter.on");
    const chains = parseSelector(`${selector}`);
    ArrayPrototypePush(this.#sets, { __proto__: null, chains, ...handlersOf(handlers, elementMembers) });
    return this;
  }

  onDocument(handlers) {
    requireArguments(arguments.length, 1, "HTMLRewriter.onDocument");
    ArrayPrototypePush(this.#documents, handlersOf(handlers, documentMembers));
    return this;
  }

  transform(response) {
    requireArguments(arguments.length, 1, "HTMLRewriter.transform");
    const body = bodyOf(response);
    const init = { __proto__: null, status: statusOf(response), statusText: statusTextOf(response), headers: headersOf(response) };
    if (body === null) return new Response(null, init);
    const stream = rewrite(body, new Rewriting(this.#sets, this.#documents));
    const result = new Response(stream, init);
    deleteHeader(headersOf(result), "content-length"); // it is not known
    return result;
  }
}
defineInterface(HTMLRewriter);
expose({ HTMLRewriter });

const elementMembers = ["element", "comments", "text"];
const documentMembers = ["doctype", "comments", "text", "end"];

function handlersOf(handlers, members) {
  if (handlers === null || (typeof handlers !== "object" && typeof handlers !== "function")) throw new TypeError("HTMLRewriter: the handlers are not an object");
  const found = { __proto__: null, self: handlers };
  for (let i = 0; i < members.length; i++) {
    const f = handlers[members[i]];
    if (f !== undefined && typeof f !== "function") throw new TypeError(`HTMLRewriter: the handler '${members[i]}' is not a function`);
    found[members[i]] = f;
  }
  return found;
}

// rewrite pipes a stream through a rewriting, part by part.
function rewrite(body, rewriting) {
  const reader = getReader(body);
  let left; // of the chunk that was read
  let over = false;
  const ignore = () => {};
  const pull = async () => {
    while (!over) {
      try {
        if (left === undefined) {
          const { done, value } = await read(reader);
          if (done) {
            over = true;
            await rewriting.finish();
          } else if (TypedArrayPrototypeGetTag(value) !== "Uint8Array") {
            throw new TypeError("The response body's stream has a chunk that is not a Uint8Array");
          } else {
            left = value;
          }
        }
        if (left !== undefined) {
          const length = TypedArrayPrototypeGetByteLength(left);
          const part = length > PART ? bytesSubarray(left, 0, PART) : left;
          left = length > PART ? bytesSubarray(left, PART, length) : undefined;
          await rewriting.add(part);
        }
      } catch (error) {
        over = true;
        promiseThen(cancelReader(reader, error), ignore, ignore);
        throw error;
      }
      const out = rewriting.take();
      if (out !== undefined) return out;
    }
    return undefined;
  };
  return byteStream(pull, (reason) => {
    over = true;
    return cancelReader(reader, reason);
  });
}
