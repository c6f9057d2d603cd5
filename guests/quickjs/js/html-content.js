// What HTMLRewriter hands to its handlers: elements, text, comments, the doctype,
// end tags, the document's end. Each is a view of a record that the rewriter
// makes and reads, and is of use only while its handler runs.
import { TypeError } from "mayfly:intrinsics";
import native from "mayfly:native";
import { utf8Decode, utf8Encode } from "mayfly:host";
import { isReadableStream } from "mayfly:streams";
import { lower } from "mayfly:html-selector";
import { defineInterface, requireArguments } from "mayfly:interface";
import {
  ArrayPrototypePush, ArrayPrototypeSplice, ObjectGetOwnPropertyDescriptor, StringPrototypeCharCodeAt, StringPrototypeIncludes, StringPrototypeReplaceAll,
  StringPrototypeSlice, bytesSubarray, uncurryThis,
} from "mayfly:primordials";

const { Response } = globalThis;
const bodyOf = uncurryThis(ObjectGetOwnPropertyDescriptor(Response.prototype, "body").get);

// contentOf is a piece of output: bytes, or a stream that is read when it is its
// turn, whose bytes are escaped unless they are markup.
export function contentOf(value, options) {
  const html = options !== undefined && options !== null && !!options.html;
  if (typeof value === "object" && value !== null) {
    let stream = value;
    if (native.className(value) === "Response") stream = bodyOf(value);
    if (stream === null) return { __proto__: null, bytes: utf8Encode(""), stream: undefined, html };
    if (isReadableStream(stream)) return { __proto__: null, bytes: undefined, stream, html };
  }
  const text = `${value}`;
  return { __proto__: null, bytes: utf8Encode(html ? text : escapeText(text)), stream: undefined, html };
}

export function escapeText(text) {
  if (StringPrototypeIncludes(text, "&")) text = StringPrototypeReplaceAll(text, "&", "&amp;");
  if (StringPrototypeIncludes(text, "<")) text = StringPrototypeReplaceAll(text, "<", "&lt;");
  if (StringPrototypeIncludes(text, ">")) text = StringPrototypeReplaceAll(text, ">", "&gt;");
  return text;
}

const unshift = (list, item) => ArrayPrototypeSplice(list, 0, 0, item);

function alive(record) {
  if (!record.live) {
    throw new TypeError("This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.");
  }
  return record;
}

let making;
const make = (constructor, record) => {
  making = record;
  return new constructor();
};
function made() {
  if (making === undefined) throw new TypeError("Illegal constructor");
  const record = making;
  making = undefined;
  return record;
}

// ---- attributes

// decodeSlice decodes bytes of the source.
const decodeSlice = (source, from, to) => utf8Decode(bytesSubarray(source.bytes, from, to));

// attributeOf answers an attribute's value by its name in lower case, "" where it
// has none, or undefined. spans are the places of names and values in source.
export function attributeOf(source, spans, name) {
  for (let i = 0; i < spans.length; i += 4) {
    const from = spans[i];
    // A name with characters past ASCII is longer in the source.
    if (spans[i + 1] - from < name.length || lower(decodeSlice(source, from, spans[i + 1])) !== name) continue;
    return spans[i + 2] < 0 ? "" : decodeSlice(source, spans[i + 2], spans[i + 3]);
  }
  return undefined;
}

// list makes the attributes of an element a list: { name, value, from, to }, with
// the place in the source of those that are as they were.
function listOf(r) {
  if (r.attributes === undefined) {
    r.attributes = [];
    const { source, spans } = r;
    for (let i = 0; i < spans.length; i += 4) {
      const name = lower(decodeSlice(source, spans[i], spans[i + 1]));
      const value = spans[i + 2] < 0 ? "" : decodeSlice(source, spans[i + 2], spans[i + 3]);
      // An unquoted value ends where it ends, a quoted one after its quote.
      let to = spans[i + 2] < 0 ? spans[i + 1] : spans[i + 3];
      if (spans[i + 2] >= 0) {
        const quote = source.bytes[spans[i + 2] - 1];
        if ((quote === 0x22 || quote === 0x27) && source.bytes[to] === quote && spans[i + 2] - 1 > spans[i + 1]) to++;
      }
      ArrayPrototypePush(r.attributes, { __proto__: null, name, value, from: spans[i], to });
    }
  }
  return r.attributes;
}

function checkName(name, what, more) {
  if (name === "") throw new TypeError(`${what} can't be empty.`);
  for (let i = 0; i < name.length; i++) {
    const c = StringPrototypeCharCodeAt(name, i);
    if (c === 0x20 || (c >= 9 && c <= 13) || c === 0 || StringPrototypeIncludes(more, name[i])) {
      throw new TypeError(`'${name[i]}' character is forbidden in ${what === "Tag name" ? "the tag name" : "the attribute name"}.`);
    }
  }
  return name;
}

// startTag is the markup of an element's start tag after changes.
export function startTag(r) {
  let text = r.renamed ? `<${r.name}` : `<${decodeSlice(r.source, r.nameFrom, r.nameTo)}`;
  const list = listOf(r);
  for (let i = 0; i < list.length; i++) {
    const { name, value, from, to } = list[i];
    text += from >= 0 ? ` ${decodeSlice(r.source, from, to)}` : ` ${name}="${StringPrototypeReplaceAll(value, '"', "&quot;")}"`;
  }
  return `${text}${r.selfClosing ? " />" : ">"}`;
}

// ---- tokens

const namespaces = { __proto__: null, html: "http://www.w3.org/1999/xhtml", svg: "http://www.w3.org/2000/svg", math: "http://www.w3.org/1998/Math/MathML" };

export class Element {
  #r;
  constructor() { this.#r = made(); }

  get tagName() { return alive(this.#r).name; }
  set tagName(value) {
    const r = alive(this.#r);
    const name = checkName(`${value}`, "Tag name", "/>");
    const c = StringPrototypeCharCodeAt(name, 0) | 0x20;
    if (c < 0x61 || c > 0x7a) throw new TypeError("The first character of the tag name should be an ASCII alphabetical character.");
    r.name = name;
    r.renamed = r.edited = true;
  }
  get namespaceURI() { return namespaces[alive(this.#r).space]; }
  get removed() { return alive(this.#r).removed; }
  get attributes() {
    const list = listOf(alive(this.#r));
    return attributesIterator(list);
  }

  getAttribute(name) {
    requireArguments(arguments.length, 1, "Element.getAttribute");
    const r = alive(this.#r);
    name = lower(`${name}`);
    if (r.attributes === undefined) return attributeOf(r.source, r.spans, name) ?? null;
    for (let i = 0; i < r.attributes.length; i++) if (r.attributes[i].name === name) return r.attributes[i].value;
    return null;
  }
  hasAttribute(name) {
    requireArguments(arguments.length, 1, "Element.hasAttribute");
    return this.getAttribute(name) !== null;
  }
  setAttribute(name, value) {
    requireArguments(arguments.length, 2, "Element.setAttribute");
    const r = alive(this.#r);
    name = lower(checkName(`${name}`, "Attribute name", "/>="));
    value = `${value}`;
    const list = listOf(r);
    r.edited = true;
    for (let i = 0; i < list.length; i++) {
      if (list[i].name !== name) continue;
      list[i] = { __proto__: null, name, value, from: -1, to: -1 };
      return this;
    }
    ArrayPrototypePush(list, { __proto__: null, name, value, from: -1, to: -1 });
    return this;
  }
  removeAttribute(name) {
    requireArguments(arguments.length, 1, "Element.removeAttribute");
    const r = alive(this.#r);
    name = lower(`${name}`);
    const list = listOf(r);
    for (let i = list.length - 1; i >= 0; i--) {
      if (list[i].name !== name) continue;
      ArrayPrototypeSplice(list, i, 1);
      r.edited = true;
    }
    return this;
  }

  before(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.before");
    const r = alive(this.#r);
    ArrayPrototypePush(r.before, contentOf(content, options));
    r.changed = true;
    return this;
  }
  after(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.after");
    const r = alive(this.#r);
    unshift(r.after, contentOf(content, options));
    r.changed = true;
    return this;
  }
  prepend(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.prepend");
    const r = alive(this.#r);
    const piece = contentOf(content, options);
    if (r.open) unshift(r.first, piece);
    r.changed = true;
    return this;
  }
  append(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.append");
    const r = alive(this.#r);
    const piece = contentOf(content, options);
    if (r.open) ArrayPrototypePush(r.last, piece);
    r.changed = true;
    return this;
  }
  setInnerContent(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.setInnerContent");
    const r = alive(this.#r);
    const piece = contentOf(content, options);
    if (!r.open) return this;
    r.first = [piece];
    r.last = [];
    r.emptied = r.changed = true;
    return this;
  }
  replace(content, options = undefined) {
    requireArguments(arguments.length, 1, "Element.replace");
    const r = alive(this.#r);
    r.replacement = contentOf(content, options);
    r.removed = r.emptied = r.changed = true;
    return this;
  }
  remove() {
    const r = alive(this.#r);
    r.removed = r.emptied = r.changed = true;
    return this;
  }
  removeAndKeepContent() {
    const r = alive(this.#r);
    r.removed = r.changed = true;
    return this;
  }
  onEndTag(handler) {
    requireArguments(arguments.length, 1, "Element.onEndTag");
    const r = alive(this.#r);
    if (typeof handler !== "function") throw new TypeError("Element.onEndTag: the handler is not a function");
    if (!r.open) throw new TypeError("No end tag.");
    ArrayPrototypePush(r.endHandlers, handler);
    r.changed = true;
  }
}
defineInterface(Element);

// attributesIterator goes over a list as it is when it gets there.
function* attributesIterator(list) {
  for (let i = 0; i < list.length; i++) yield [list[i].name, list[i].value];
}

export class EndTag {
  #r;
  constructor() { this.#r = made(); }
  get name() { return alive(this.#r).name; }
  set name(value) {
    const r = alive(this.#r);
    r.name = checkName(`${value}`, "Tag name", "/>");
    r.renamed = true;
  }
  before(content, options = undefined) {
    requireArguments(arguments.length, 1, "EndTag.before");
    ArrayPrototypePush(alive(this.#r).before, contentOf(content, options));
    return this;
  }
  after(content, options = undefined) {
    requireArguments(arguments.length, 1, "EndTag.after");
    unshift(alive(this.#r).after, contentOf(content, options));
    return this;
  }
  remove() {
    alive(this.#r).removed = true;
    return this;
  }
}
defineInterface(EndTag);

function changeable(name) {
  return class {
    #r;
    constructor() { this.#r = made(); }
    get removed() { return alive(this.#r).removed; }
    before(content, options = undefined) {
      requireArguments(arguments.length, 1, `${name}.before`);
      const r = alive(this.#r);
      ArrayPrototypePush(r.before, contentOf(content, options));
      r.changed = true;
      return this;
    }
    after(content, options = undefined) {
      requireArguments(arguments.length, 1, `${name}.after`);
      const r = alive(this.#r);
      unshift(r.after, contentOf(content, options));
      r.changed = true;
      return this;
    }
    replace(content, options = undefined) {
      requireArguments(arguments.length, 1, `${name}.replace`);
      const r = alive(this.#r);
      r.replacement = contentOf(content, options);
      r.removed = r.changed = true;
      return this;
    }
    remove() {
      const r = alive(this.#r);
      r.removed = r.changed = true;
      return this;
    }
    static recordOf(token) { return alive(token.#r); }
  };
}

const TextBase = changeable("Text");
const textRecord = TextBase.recordOf;
delete TextBase.recordOf;
export class Text extends TextBase {
  get text() { return textRecord(this).text; }
  get lastInTextNode() { return textRecord(this).last; }
}
defineInterface(TextBase, "Text");
defineInterface(Text);

const CommentBase = changeable("Comment");
const commentRecord = CommentBase.recordOf;
delete CommentBase.recordOf;
export class Comment extends CommentBase {
  get text() { return commentRecord(this).text; }
  set text(value) {
    const r = commentRecord(this);
    const text = `${value}`;
    if (StringPrototypeIncludes(text, "-->") || StringPrototypeIncludes(text, "--!>") || StringPrototypeSlice(text, 0, 1) === ">" || StringPrototypeSlice(text, 0, 2) === "->") {
      throw new TypeError("Comment text shouldn't contain comment closing sequence (`-->`).");
    }
    r.text = text;
    r.edited = r.changed = true;
  }
}
defineInterface(CommentBase, "Comment");
defineInterface(Comment);

export class Doctype {
  #r;
  constructor() { this.#r = made(); }
  get name() { return alive(this.#r).name; }
  get publicId() { return alive(this.#r).publicId; }
  get systemId() { return alive(this.#r).systemId; }
}
defineInterface(Doctype);

export class DocumentEnd {
  #r;
  constructor() { this.#r = made(); }
  append(content, options = undefined) {
    requireArguments(arguments.length, 1, "DocumentEnd.append");
    ArrayPrototypePush(alive(this.#r).before, contentOf(content, options));
    return this;
  }
}
defineInterface(DocumentEnd);

export { make };
