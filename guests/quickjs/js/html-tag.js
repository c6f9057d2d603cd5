// Scanning markup for HTMLRewriter: tags (HTML 13.2.5), the doctype, and where
// characters are cut.
import { Map, Set, Uint8Array } from "mayfly:intrinsics";
import { MapPrototypeGet, SetPrototypeHas, StringPrototypeIndexOf, StringPrototypeToLowerCase, uncurryThis } from "mayfly:primordials";

const matchAt = uncurryThis(RegExp.prototype.exec);

// Classes of bytes.
const SPACE = 1;
export const LETTER = 2;
const END = 4; // of a tag's name: a space, / or >
export const classes = new Uint8Array(256);
for (const c of [9, 10, 12, 13, 32]) classes[c] = SPACE | END;
classes[0x2f] = classes[0x3e] = END;
for (let c = 0x41; c <= 0x5a; c++) classes[c] = classes[c + 32] = LETTER;

export const GT = 0x3e;
export const SLASH = 0x2f;

// scanTag scans a tag whose name begins at a place of a source, its bytes and the
// same as a string: attributes go to spans, as the places of names and values. It
// answers where the tag ends, or -1, and leaves in the source where the name ends
// and whether the tag closes itself.
export function scanTag(source, name, spans) {
  const { text, bytes } = source;
  const length = text.length;
  let at = name;
  while (at < length && !(classes[bytes[at]] & END)) at++;
  source.nameTo = at;
  source.selfClosing = false;
  for (;;) {
    while (at < length && (classes[bytes[at]] & SPACE || bytes[at] === SLASH)) at++;
    if (at >= length) return -1;
    if (bytes[at] === GT) {
      source.selfClosing = bytes[at - 1] === SLASH;
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

// incomplete is how many bytes at the end are the start of a character.
export function incomplete(bytes, from, to) {
  for (let back = 1; back <= 3 && to - back >= from; back++) {
    const c = bytes[to - back];
    if (c < 0x80) return 0;
    if (c >= 0xc0) return (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

const doctypePattern = /^[\t\n\f\r ]*([^\t\n\f\r ]+)?[\t\n\f\r ]*(?:(public)[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?|(system)[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?)?)?/i;

export function doctypeOf(text) {
  const m = matchAt(doctypePattern, text);
  return {
    __proto__: null,
    name: m[1] === undefined ? null : StringPrototypeToLowerCase(m[1]),
    publicId: m[3] ?? m[4] ?? null,
    systemId: m[5] ?? m[6] ?? m[8] ?? m[9] ?? null,
  };
}

// ---- elements

const setOf = (names) => {
  const set = new Set();
  for (const name of names.split(" ")) set.add(name);
  return set;
};
export const voids = setOf("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr");
export const raws = setOf("script style xmp iframe noembed noframes textarea title plaintext");
// Elements of other vocabularies that have HTML inside.
const integration = setOf("foreignobject desc title mi mo mn ms mtext annotation-xml");

// spaceOf is the vocabulary that an element belongs to.
export function spaceOf(name, parent) {
  if (name === "svg") return "svg";
  if (name === "math") return "math";
  if (parent.space !== "html" && SetPrototypeHas(integration, parent.name)) return "html";
  return parent.space;
}

// ---- the ends of what is no markup

export const commentEnd = /--!?>/g;
export const scriptMark = /<!--|-->|<\/?script(?=[\t\n\f\r \/>])/gi;
const ends = new Map();
for (const name of ["style", "xmp", "iframe", "noembed", "noframes", "textarea", "title"]) ends.set(name, new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, "gi"));
export const endOf = (name) => MapPrototypeGet(ends, name);
