// One document on its way through HTMLRewriter: tokens, open elements, which
// selectors match, and what handlers want of it.
import { Map, TypeError, Uint8Array } from "mayfly:intrinsics";
import native from "mayfly:native";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { getReader, read } from "mayfly:streams";
import { Comment, Doctype, DocumentEnd, Element, EndTag, Text, attributeOf, escapeText, make, startTag } from "mayfly:html-content";
import { compile, matches, withSet, withState } from "mayfly:html-selector";
import { GT, LETTER, SLASH, classes, commentEnd, doctypeOf, endOf, incomplete, raws, scanTag, scriptMark, spaceOf, voids } from "mayfly:html-tag";
import {
  ArrayPrototypePush, FunctionPrototypeCall, MapPrototypeGet, MapPrototypeSet, SetPrototypeHas, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith,
  StringPrototypeToLowerCase, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetTag, TypedArrayPrototypeSet, bytesSubarray, uncurryThis,
} from "mayfly:primordials";

const { latin1Decode } = native;
const indexOfByte = uncurryThis(Uint8Array.prototype.indexOf);
const matchAt = uncurryThis(RegExp.prototype.exec);

// The largest tag or comment.
const MAX_TOKEN = 1 << 20;

const none = [];
const nothing = new Uint8Array(0);

// A Rewriting is one document on its way. take() answers what has come out.
export class Rewriting {
  #documents;
  #compiled;

  // The source that is not done yet, and the same as a string of its bytes.
  bytes = nothing;
  text = "";
  nameTo = 0; // of the last tag: see scanTag
  selfClosing = false;
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

  // Of the methods for markup, each answers whether the markup is whole, or a
  // promise of that where handlers have to run.

  #startTag(from) {
    const spans = [];
    const to = scanTag(this, from + 1, spans);
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
    const to = scanTag(this, from + 2, []);
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
