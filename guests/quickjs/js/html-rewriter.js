// HTMLRewriter, as Workers have it: a response's markup is rewritten while it
// streams. It lives in the guest: what it knows of a document is in the isolate's
// own memory, under the isolate's own limits, and goes where the isolate goes.
//
// The source is not parsed into a tree and not repaired. Tags are tokenized as
// the HTML standard does it (13.2.5), elements are open from their start tag to
// the end tag with their name, or to that of an element around them. What nobody
// changes comes out as the bytes that came in. The source is taken for UTF-8.
import { Map, Set, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { byteStream, cancelReader, getReader, read } from "mayfly:streams";
import { Comment, Doctype, DocumentEnd, Element, EndTag, Text, attributeOf, escapeText, make, startTag } from "mayfly:html-content";
import { matches, parseSelector, usesPosition, usesType } from "mayfly:html-selector";
import { defineInterface, expose, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, FunctionPrototypeCall, MapPrototypeGet, MapPrototypeSet, ObjectGetOwnPropertyDescriptor, SetPrototypeHas,
  StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag,
  TypedArrayPrototypeSet, bytesSubarray, promiseThen, uncurryThis,
} from "mayfly:primordials";

const { latin1Decode } = native;
const { Headers, Response } = globalThis;
const getterOf = (prototype, name) => uncurryThis(ObjectGetOwnPropertyDescriptor(prototype, name).get);
const bodyOf = getterOf(Response.prototype, "body");
const statusOf = getterOf(Response.prototype, "status");
const statusTextOf = getterOf(Response.prototype, "statusText");
const headersOf = getterOf(Response.prototype, "headers");
const deleteHeader = uncurryThis(Headers.prototype.delete);
const indexOfByte = uncurryThis(Uint8Array.prototype.indexOf);
const matchAt = uncurryThis(RegExp.prototype.exec);

// The largest tag or comment, and how much of the source is worked on at once.
const MAX_TOKEN = 1 << 20;
const PART = 64 << 10;

const setOf = (names) => {
  const set = new Set();
  for (const name of names.split(" ")) set.add(name);
  return set;
};
const voids = setOf("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr");
const raws = setOf("script style xmp iframe noembed noframes textarea title plaintext");
// Elements of other vocabularies that have HTML inside.
const integration = setOf("foreignobject desc title mi mo mn ms mtext annotation-xml");

// Classes of bytes.
const SPACE = 1;
const LETTER = 2;
const END = 4; // of a tag's name: a space, / or >
const classes = new Uint8Array(256);
for (const c of [9, 10, 12, 13, 32]) classes[c] = SPACE | END;
classes[0x2f] = classes[0x3e] = END;
for (let c = 0x41; c <= 0x5a; c++) classes[c] = classes[c + 32] = LETTER;

const GT = 0x3e;
const SLASH = 0x2f;

// ---- the rewriter

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

// ---- states of selectors

// compile makes the states of all selectors: { compound, combinator, next, set }.
function compile(sets) {
  const compiled = { __proto__: null, first: [], position: false, type: false };
  for (let i = 0; i < sets.length; i++) {
    const { chains } = sets[i];
    for (let j = 0; j < chains.length; j++) {
      let next;
      for (let k = chains[j].length - 1; k >= 0; k--) {
        const { compound, combinator } = chains[j][k];
        compiled.position ||= usesPosition(compound);
        compiled.type ||= usesType(compound);
        next = { __proto__: null, compound, child: combinator === ">", next, order: i, set: sets[i] };
      }
      ArrayPrototypePush(compiled.first, next);
    }
  }
  return compiled;
}

const none = [];
const nothing = new Uint8Array(0);

// A Rewriting is one document on its way. take() answers what has come out.
class Rewriting {
  #documents;
  #compiled;

  // The source that is not done yet, and the same as a string of its bytes.
  bytes = nothing;
  text = "";
  #at = 0;    // how far it is tokenized
  #from = 0;  // how far it is put out
  #held = []; // parts that can't end the token at the end of the source
  #heldSize = 0;
  #wants = false; // that token is markup: a > has to come

  #out = [];
  #removing = 0; // open elements whose content is not put out
  #stack = [];
  #open = new Map(); // name → how many are open
  #raw = "";         // the element whose content is no markup, or empty
  #script = 0;       // within a script: 1 after <!--, 2 and after <script
  #inText = false;

  constructor(sets, documents) {
    this.#documents = documents;
    this.#compiled = compile(sets);
    const text = [];
    const comments = [];
    for (let i = 0; i < documents.length; i++) {
      if (documents[i].text !== undefined) ArrayPrototypePush(text, documents[i]);
      if (documents[i].comments !== undefined) ArrayPrototypePush(comments, documents[i]);
    }
    ArrayPrototypePush(this.#stack, { __proto__: null, name: "", space: "html", below: this.#compiled.first, children: none, text, comments, count: 0, types: undefined, record: undefined, removes: false });
  }

  take() {
    const out = this.#out;
    if (out.length === 0) return undefined;
    this.#out = [];
    // A copy, for the stream that gets it takes the whole buffer away.
    let size = 0;
    for (let i = 0; i < out.length; i++) size += TypedArrayPrototypeGetByteLength(out[i]);
    const all = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < out.length; i++) {
      TypedArrayPrototypeSet(all, out[i], at);
      at += TypedArrayPrototypeGetByteLength(out[i]);
    }
    return all;
  }

  async add(part) {
    const size = TypedArrayPrototypeGetByteLength(part);
    if (this.#wants && indexOfByte(part, GT) < 0) {
      this.#heldSize += size;
      if (this.#heldSize > MAX_TOKEN) throw new TypeError("Parser error: The memory limit has been exceeded.");
      ArrayPrototypePush(this.#held, part);
      return;
    }
    this.#join(part, size);
    await this.#run(false);
    this.#put(this.#at);
    const rest = TypedArrayPrototypeGetByteLength(this.bytes) - this.#at;
    if (rest > MAX_TOKEN) throw new TypeError("Parser error: The memory limit has been exceeded.");
    this.#held = rest > 0 ? [bytesSubarray(this.bytes, this.#at, this.#at + rest)] : [];
    this.#heldSize = rest;
  }

  // join makes what is held and a part the source.
  #join(part, size) {
    if (this.#heldSize === 0) {
      this.bytes = part;
    } else {
      const all = new Uint8Array(this.#heldSize + size);
      let at = 0;
      for (let i = 0; i < this.#held.length; i++) {
        TypedArrayPrototypeSet(all, this.#held[i], at);
        at += TypedArrayPrototypeGetByteLength(this.#held[i]);
      }
      TypedArrayPrototypeSet(all, part, at);
      this.bytes = all;
    }
    this.text = latin1Decode(this.bytes);
    this.#held = [];
    this.#heldSize = 0;
    this.#wants = false;
    this.#at = this.#from = 0;
  }

  async finish() {
    this.#join(nothing, 0);
    await this.#run(true);
    await this.#endText();
    this.#put(this.text.length); // an unfinished tag stays what it is
    this.#removing = 0;
    for (let i = 0; i < this.#documents.length; i++) {
      const set = this.#documents[i];
      if (set.end === undefined) continue;
      const record = { __proto__: null, live: true, before: [] };
      await handle(set, set.end, DocumentEnd, record);
      await this.#pieces(record.before);
    }
  }

  // ---- output

  // put puts out the source up to a place as it is, or drops it.
  #put(to) {
    if (to > this.#from && this.#removing === 0) ArrayPrototypePush(this.#out, bytesSubarray(this.bytes, this.#from, to));
    this.#from = to;
  }

  async #pieces(list) {
    for (let i = 0; i < list.length; i++) {
      const piece = list[i];
      if (piece.stream !== undefined) await this.#piece(piece);
      else if (this.#removing === 0) ArrayPrototypePush(this.#out, piece.bytes);
    }
  }

  async #piece(piece) {
    if (this.#removing > 0) return;
    if (piece.stream === undefined) {
      if (TypedArrayPrototypeGetByteLength(piece.bytes) > 0) ArrayPrototypePush(this.#out, piece.bytes);
      return;
    }
    const reader = getReader(piece.stream);
    for (;;) {
      const { done, value } = await read(reader);
      if (done) return;
      if (TypedArrayPrototypeGetTag(value) !== "Uint8Array") throw new TypeError("HTMLRewriter: the content's stream has a chunk that is not a Uint8Array");
      // What is escaped is ASCII, so bytes of longer characters are left alone.
      ArrayPrototypePush(this.#out, piece.html ? value : native.latin1Encode(escapeText(latin1Decode(value))));
    }
  }

  #markup(text) {
    if (this.#removing === 0) ArrayPrototypePush(this.#out, utf8Encode(text));
  }

  // ---- tokens

  async #run(last) {
    const length = this.text.length;
    while (this.#at < length) {
      if (this.#raw !== "") {
        if (!(await this.#rawText(last))) return;
        continue;
      }
      const { text, bytes } = this;
      let lt = StringPrototypeIndexOf(text, "<", this.#at);
      // What looks like the start of markup and is not is text.
      let next = 0;
      while (lt >= 0) {
        next = lt + 1 < length ? bytes[lt + 1] : -1;
        if (next < 0 || next === 0x21 || next === 0x3f || classes[next] & LETTER) break;
        if (next === SLASH && (lt + 2 >= length || classes[bytes[lt + 2]] & LETTER || bytes[lt + 2] !== 0x3c)) break;
        lt = StringPrototypeIndexOf(text, "<", lt + 1);
      }
      if (lt < 0 || lt > this.#at) {
        if (this.#top().text.length === 0) this.#at = lt < 0 ? length : lt;
        else if (!(await this.#textTo(lt < 0 ? length : lt, lt < 0 && !last))) return;
      }
      if (lt < 0) return;
      if (next < 0) {
        if (last) await this.#textTo(length, false);
        return;
      }
      let done;
      if (next === SLASH) {
        const c = lt + 2 < length ? bytes[lt + 2] : -1;
        if (c < 0) done = false;
        else if (classes[c] & LETTER) done = this.#endTag(lt);
        else done = this.#bogus(lt, lt + 2);
      } else if (next === 0x21) {
        done = this.#declaration(lt, last);
      } else if (next === 0x3f) {
        done = this.#bogus(lt, lt + 1);
      } else {
        done = this.#startTag(lt);
      }
      // Most tags concern nobody: they are done at once.
      if (typeof done === "object") done = await done;
      if (!done) {
        this.#wants = true;
        return;
      }
    }
  }

  #top() { return this.#stack[this.#stack.length - 1]; }

  // textTo takes text up to a place; part: more of it may follow. It is false if
  // the end of it has to wait for that.
  async #textTo(to, part) {
    const { text: sets } = this.#top();
    const from = this.#at;
    if (sets.length === 0) {
      this.#at = to;
      return true;
    }
    let end = to;
    if (part) end -= incomplete(this.bytes, from, to);
    if (end > from) {
      this.#inText = true;
      await this.#chunk(sets, from, end, false);
      this.#at = end;
    }
    return end === to;
  }

  async #chunk(sets, from, to, last) {
    const record = { __proto__: null, live: true, text: utf8Decode(bytesSubarray(this.bytes, from, to)), last, removed: false, changed: false, before: [], after: [], replacement: undefined };
    await this.#handleAll(sets, "text", Text, record);
    if (!record.changed) return;
    this.#put(from);
    await this.#pieces(record.before);
    if (record.removed) {
      this.#from = to;
      if (record.replacement !== undefined) await this.#piece(record.replacement);
    } else {
      this.#put(to);
    }
    await this.#pieces(record.after);
  }

  // endText tells handlers of text that the text before a tag is over.
  async #endText() {
    if (!this.#inText) return;
    this.#inText = false;
    await this.#chunk(this.#top().text, this.#at, this.#at, true);
  }

  async #handleAll(sets, member, constructor, record) {
    for (let i = 0; i < sets.length; i++) {
      const wait = handle(sets[i], sets[i][member], constructor, record);
      if (wait !== undefined) await wait;
    }
  }

  // rawText takes text in an element that has no markup, up to its end tag.
  async #rawText(last) {
    const { text } = this;
    let closes = -1;
    const from = this.#at;
    let at = from;
    let safe = from; // as far as states are known
    if (this.#raw === "plaintext") {
      safe = text.length;
    } else if (this.#raw === "script") {
      for (;;) {
        scriptMark.lastIndex = at;
        const m = matchAt(scriptMark, text);
        if (m === null) break;
        const mark = m[0];
        const c = mark[1];
        if (c === "!") this.#script ||= 1;
        else if (mark[0] === "-") this.#script = 0;
        else if (c !== "/") this.#script = this.#script === 0 ? 0 : 2;
        else if (this.#script === 2) this.#script = 1;
        else {
          closes = m.index;
          break;
        }
        // The dashes of <!-- may be those of -->.
        at = c === "!" ? m.index + 2 : m.index + mark.length;
        safe = at;
      }
    } else {
      const end = endOf(this.#raw);
      end.lastIndex = from;
      const m = matchAt(end, text);
      if (m !== null) closes = m.index;
    }
    if (closes >= 0) {
      if (closes > from) await this.#textTo(closes, false);
      this.#raw = "";
      this.#script = 0;
      if (await this.#endTag(closes)) return true;
      this.#raw = this.#top().name;
      this.#wants = true;
      return false;
    }
    // The start of a mark may be at the end.
    let to = text.length;
    if (!last && this.#raw !== "plaintext") {
      const keep = this.#raw.length + 3;
      const tail = to - keep > safe ? to - keep : safe;
      for (let i = tail; i < to; i++) {
        const c = this.bytes[i];
        if (c === 0x3c || (c === 0x2d && this.#raw === "script")) {
          to = i;
          break;
        }
      }
    }
    if (to > from) await this.#textTo(to, !last);
    if (last) return true;
    return false;
  }

  // tag scans a tag whose name begins at a place: attributes go to spans. It
  // answers where the tag ends, or -1.
  #tag(name, spans) {
    const { text, bytes } = this;
    const length = text.length;
    let at = name;
    while (at < length && !(classes[bytes[at]] & END)) at++;
    this.nameTo = at;
    this.selfClosing = false;
    for (;;) {
      while (at < length && (classes[bytes[at]] & SPACE || bytes[at] === SLASH)) at++;
      if (at >= length) return -1;
      if (bytes[at] === GT) {
        this.selfClosing = bytes[at - 1] === SLASH;
        return at + 1;
      }
      const from = at++;
      while (at < length && !(classes[bytes[at]] & END) && bytes[at] !== 0x3d) at++;
      const to = at;
      while (at < length && classes[bytes[at]] & SPACE) at++;
      if (at >= length) return -1;
      if (bytes[at] !== 0x3d) {
        spans[spans.length] = from;
        spans[spans.length] = to;
        spans[spans.length] = -1;
        spans[spans.length] = -1;
        continue;
      }
      at++;
      while (at < length && classes[bytes[at]] & SPACE) at++;
      if (at >= length) return -1;
      let value = at;
      const quote = bytes[at];
      let end;
      if (quote === 0x22 || quote === 0x27) {
        value = at + 1;
        end = StringPrototypeIndexOf(text, quote === 0x22 ? '"' : "'", value);
        if (end < 0) return -1;
        at = end + 1;
      } else {
        while (at < length && !(classes[bytes[at]] & SPACE) && bytes[at] !== GT) at++;
        if (at >= length) return -1;
        end = at;
        // A slash that ends an unquoted value is the value's.
        if (bytes[at] === GT) {
          spans[spans.length] = from;
          spans[spans.length] = to;
          spans[spans.length] = value;
          spans[spans.length] = end;
          return at + 1;
        }
      }
      spans[spans.length] = from;
      spans[spans.length] = to;
      spans[spans.length] = value;
      spans[spans.length] = end;
    }
  }

  // Of the methods for markup, each answers whether the markup is whole, or a
  // promise of that where handlers have to run.

  #startTag(from) {
    const spans = [];
    const to = this.#tag(from + 1, spans);
    if (to < 0) return false;
    return this.#inText ? this.#afterText(from, to, spans, this.nameTo, this.selfClosing) : this.#element(from, to, spans, this.nameTo, this.selfClosing);
  }

  async #afterText(from, to, spans, nameTo, selfClosing) {
    await this.#endText();
    return this.#element(from, to, spans, nameTo, selfClosing);
  }

  #element(from, to, spans, nameTo, selfClosing) {
    const name = StringPrototypeToLowerCase(StringPrototypeSlice(this.text, from + 1, nameTo));
    const parent = this.#top();
    const space = spaceOf(name, parent);
    const open = !(space === "html" ? SetPrototypeHas(voids, name) : selfClosing);

    // Which selectors match, and what they open for what is inside.
    let { below } = parent;
    let children = none;
    let sets = none;
    const compiled = this.#compiled;
    if (below.length > 0 || parent.children.length > 0) {
      const position = compiled.position ? ++parent.count : 0;
      let typePosition = 0;
      if (compiled.type) {
        parent.types ??= new Map();
        typePosition = (MapPrototypeGet(parent.types, name) ?? 0) + 1;
        MapPrototypeSet(parent.types, name, typePosition);
      }
      const attribute = (wanted) => attributeOf(this, spans, wanted);
      const inherited = below;
      for (let pass = 0; pass < 2; pass++) {
        const states = pass === 0 ? inherited : parent.children;
        for (let i = 0; i < states.length; i++) {
          const state = states[i];
          if (!matches(state.compound, name, attribute, position, typePosition)) continue;
          if (state.next === undefined) {
            sets = withSet(sets, state);
          } else if (state.next.child) {
            children = withState(children, state.next);
          } else {
            below = withState(below, state.next);
          }
        }
      }
    }

    const entry = { __proto__: null, name, space, below, children, text: parent.text, comments: parent.comments, count: 0, types: undefined, record: undefined, removes: false };
    let record;
    if (sets.length > 0) {
      for (let i = 0; i < sets.length; i++) {
        const { set } = sets[i];
        if (set.text !== undefined) entry.text = withState(entry.text, set);
        if (set.comments !== undefined) entry.comments = withState(entry.comments, set);
        if (set.element === undefined) continue;
        record ??= {
          __proto__: null, live: true, source: this, spans, nameFrom: from + 1, nameTo, name, space, open, selfClosing, attributes: undefined,
          renamed: false, edited: false, changed: false, removed: false, emptied: false, before: [], after: [], first: [], last: [], replacement: undefined, endHandlers: [],
        };
      }
    }
    if (record !== undefined) return this.#handleElement(sets, record, entry, from, to);
    return this.#enter(entry, open, to);
  }

  async #handleElement(sets, record, entry, from, to) {
    const { open } = record;
    for (let i = 0; i < sets.length; i++) {
      const { set } = sets[i];
      if (set.element === undefined) continue;
      const wait = handle(set, set.element, Element, record);
      if (wait !== undefined) await wait;
    }
    if (record.changed || record.edited) {
      this.#put(from);
      await this.#pieces(record.before);
      if (record.removed) {
        this.#from = to;
        if (record.replacement !== undefined) await this.#piece(record.replacement);
      } else if (record.edited) {
        this.#markup(startTag(record));
        this.#from = to;
      } else {
        this.#put(to);
      }
      if (record.replacement === undefined) await this.#pieces(record.first);
      if (!open) {
        await this.#pieces(record.after);
      } else {
        entry.record = record;
        if (record.emptied) {
          entry.removes = true;
          this.#removing++;
        }
      }
      record.source = undefined;
    }
    return this.#enter(entry, open, to);
  }

  // enter goes past a start tag.
  #enter(entry, open, to) {
    this.#at = to;
    if (open) {
      const { name } = entry;
      ArrayPrototypePush(this.#stack, entry);
      MapPrototypeSet(this.#open, name, (MapPrototypeGet(this.#open, name) ?? 0) + 1);
      if (entry.space === "html" && SetPrototypeHas(raws, name)) this.#raw = name;
    }
    return true;
  }

  #endTag(from) {
    const to = this.#tag(from + 2, []);
    if (to < 0) return false;
    return this.#inText ? this.#endAfterText(from, to, this.nameTo) : this.#end(from, to, this.nameTo);
  }

  async #endAfterText(from, to, nameTo) {
    await this.#endText();
    return this.#end(from, to, nameTo);
  }

  #end(from, to, nameTo) {
    const name = StringPrototypeToLowerCase(StringPrototypeSlice(this.text, from + 2, nameTo));
    const open = MapPrototypeGet(this.#open, name) ?? 0;
    this.#at = to;
    if (open === 0) return true;
    for (;;) {
      const stack = this.#stack;
      const entry = stack[stack.length - 1];
      stack.length--;
      MapPrototypeSet(this.#open, entry.name, MapPrototypeGet(this.#open, entry.name) - 1);
      if (entry.removes) {
        this.#put(from); // which drops it
        this.#removing--;
      }
      if (entry.name !== name) continue;
      return entry.record === undefined ? true : this.#closeElement(entry.record, from, to);
    }
  }

  async #closeElement(record, from, to) {
    const end = {
      __proto__: null, live: true, name: record.name, renamed: record.renamed, removed: record.removed,
      before: record.replacement === undefined ? record.last : [], after: record.after,
    };
    const handlers = record.endHandlers;
    if (handlers.length > 0) {
      const tag = make(EndTag, end);
      for (let i = 0; i < handlers.length; i++) {
        const result = FunctionPrototypeCall(handlers[i], undefined, tag);
        if (isThenable(result)) await result;
      }
      end.live = false;
    }
    this.#put(from);
    await this.#pieces(end.before);
    if (end.removed) {
      this.#from = to;
    } else if (end.renamed) {
      this.#markup(`</${end.name}>`);
      this.#from = to;
    } else {
      this.#put(to);
    }
    await this.#pieces(end.after);
    return true;
  }

  async #declaration(from, last) {
    const { text } = this;
    const start = StringPrototypeSlice(text, from, from + 9);
    if (StringPrototypeStartsWith(start, "<!--")) {
      let end = -1;
      let stop = 0;
      if (StringPrototypeStartsWith(text, "<!-->", from)) end = stop = from + 4;
      else if (StringPrototypeStartsWith(text, "<!--->", from)) end = stop = from + 5;
      else {
        commentEnd.lastIndex = from + 4;
        const m = matchAt(commentEnd, text);
        if (m !== null) {
          stop = m.index;
          end = m.index + m[0].length - 1;
        }
      }
      if (end < 0) return false;
      return this.#comment(from, from + 4, stop < from + 4 ? from + 4 : stop, end + 1);
    }
    // Whether it will be a comment, a doctype or CDATA may not be known yet.
    if (!last && start.length < 9 && indexOfByte(this.bytes, GT, from) < 0) return false;
    if (StringPrototypeToLowerCase(start) === "<!doctype") {
      const end = StringPrototypeIndexOf(text, ">", from + 9);
      if (end < 0) return false;
      if (this.#inText) await this.#endText();
      const record = { __proto__: null, live: true, ...doctypeOf(utf8Decode(bytesSubarray(this.bytes, from + 9, end))) };
      for (let i = 0; i < this.#documents.length; i++) {
        const set = this.#documents[i];
        if (set.doctype !== undefined) await handle(set, set.doctype, Doctype, record);
      }
      this.#at = end + 1;
      return true;
    }
    if (start === "<![CDATA[" && this.#top().space !== "html") {
      const end = StringPrototypeIndexOf(text, "]]>", from + 9);
      if (end < 0) return false;
      // Its text is not shown to handlers, and stays as it is.
      if (this.#inText) await this.#endText();
      this.#at = end + 3;
      return true;
    }
    return this.#bogus(from, from + 2);
  }

  // bogus is what the standard calls a bogus comment.
  async #bogus(from, content) {
    const end = StringPrototypeIndexOf(this.text, ">", content);
    if (end < 0) return false;
    if (end === content && this.bytes[from + 1] === SLASH) { // </> is nothing
      this.#at = end + 1;
      return true;
    }
    return this.#comment(from, content, end, end + 1);
  }

  async #comment(from, contentFrom, contentTo, to) {
    if (this.#inText) await this.#endText();
    const { comments: sets } = this.#top();
    this.#at = to;
    if (sets.length === 0) return true;
    const record = { __proto__: null, live: true, text: utf8Decode(bytesSubarray(this.bytes, contentFrom, contentTo)), removed: false, changed: false, edited: false, before: [], after: [], replacement: undefined };
    await this.#handleAll(sets, "comments", Comment, record);
    if (!record.changed) return true;
    this.#put(from);
    await this.#pieces(record.before);
    if (record.removed) {
      this.#from = to;
      if (record.replacement !== undefined) await this.#piece(record.replacement);
    } else if (record.edited) {
      this.#markup(`<!--${record.text}-->`);
      this.#from = to;
    } else {
      this.#put(to);
    }
    await this.#pieces(record.after);
    return true;
  }
}

const commentEnd = /--!?>/g;
const scriptMark = /<!--|-->|<\/?script(?=[\t\n\f\r \/>])/gi;
const ends = new Map();
for (const name of ["style", "xmp", "iframe", "noembed", "noframes", "textarea", "title"]) ends.set(name, new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, "gi"));
const endOf = (name) => MapPrototypeGet(ends, name);

const isThenable = (value) => typeof value === "object" && value !== null;

// handle calls one handler with a token of its own, which is of no use after. It
// answers a promise if that takes time.
function handle(set, handler, constructor, record) {
  record.live = true;
  const result = FunctionPrototypeCall(handler, set.self, make(constructor, record));
  if (isThenable(result)) return settled(result, record);
  record.live = false;
  return undefined;
}
async function settled(result, record) {
  await result;
  record.live = false;
}

// withSet adds a selector's handlers in the order in which they were given.
function withSet(sets, state) {
  const list = [];
  let added = false;
  for (let i = 0; i < sets.length; i++) {
    if (sets[i].order === state.order) return sets;
    if (!added && sets[i].order > state.order) {
      ArrayPrototypePush(list, state);
      added = true;
    }
    ArrayPrototypePush(list, sets[i]);
  }
  if (!added) ArrayPrototypePush(list, state);
  return list;
}

function withState(states, state) {
  const list = [];
  for (let i = 0; i < states.length; i++) {
    if (states[i] === state) return states;
    ArrayPrototypePush(list, states[i]);
  }
  ArrayPrototypePush(list, state);
  return list;
}

function spaceOf(name, parent) {
  if (name === "svg") return "svg";
  if (name === "math") return "math";
  if (parent.space !== "html" && SetPrototypeHas(integration, parent.name)) return "html";
  return parent.space;
}

// incomplete is how many bytes at the end are the start of a character.
function incomplete(bytes, from, to) {
  for (let back = 1; back <= 3 && to - back >= from; back++) {
    const c = bytes[to - back];
    if (c < 0x80) return 0;
    if (c >= 0xc0) return (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

const doctypePattern = /^[\t\n\f\r ]*([^\t\n\f\r ]+)?[\t\n\f\r ]*(?:(public)[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?|(system)[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?)?/i;

function doctypeOf(text) {
  const m = matchAt(doctypePattern, text);
  return {
    __proto__: null,
    name: m[1] === undefined ? null : StringPrototypeToLowerCase(m[1]),
    publicId: m[3] ?? m[4] ?? null,
    systemId: m[5] ?? m[6] ?? m[8] ?? m[9] ?? null,
  };
}
