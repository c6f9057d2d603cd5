// Selectors of HTMLRewriter: a part of Selectors 4 that can be decided at an
// element's start tag. Type, universal, class, id and attribute selectors,
// :nth-child, :nth-of-type, :first-child, :first-of-type, :not, descendant and
// child combinators, and lists of all that.
//
// A selector is compiled to a chain of states, one for each compound. An element
// that matches a state opens the next one for its descendants or its children;
// so nothing has to be known of ancestors but which states they opened.
import { Map, TypeError } from "mayfly:intrinsics";
import {
  ArrayPrototypePush, MapPrototypeHas, MapPrototypeSet, NumberIsInteger, StringFromCharCode, StringPrototypeCharCodeAt, StringPrototypeEndsWith, StringPrototypeIncludes,
  StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase,
} from "mayfly:primordials";

const { fromCodePoint } = String;

// Kinds of tests.
const ATTRIBUTE = 0; // with an operator: "" is there, or = ~= |= ^= $= *=
const NTH_CHILD = 1;
const NTH_OF_TYPE = 2;
const NOT = 3;

// Attributes of HTML whose values are compared without regard to case (HTML 4.16.2).
const insensitive = new Map();
for (const name of "accept accept-charset align alink axis bgcolor charset checked clear codetype color compact declare defer dir direction disabled enctype face frame hreflang http-equiv lang language link media method multiple nohref noresize noshade nowrap readonly rel rev rules scope scrolling selected shape target text type valign valuetype vlink".split(" ")) {
  MapPrototypeSet(insensitive, name, true);
}

const isSpace = (c) => c === 0x20 || c === 9 || c === 10 || c === 12 || c === 13;
const isDigit = (c) => c >= 0x30 && c <= 0x39;
const isHex = (c) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
const isNameStart = (c) => (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || c >= 0x80;
const isName = (c) => isNameStart(c) || isDigit(c) || c === 0x2d;

// lower puts ASCII letters into lower case.
function lower(text) {
  for (let i = 0; i < text.length; i++) {
    if (StringPrototypeCharCodeAt(text, i) < 0x80) continue;
    let all = "";
    for (let j = 0; j < text.length; j++) {
      const c = StringPrototypeCharCodeAt(text, j);
      all += c >= 0x41 && c <= 0x5a ? StringFromCharCode(c + 32) : text[j];
    }
    return all;
  }
  return StringPrototypeToLowerCase(text);
}

class Parser {
  #text;
  #at = 0;
  constructor(text) { this.#text = text; }

  #fail(what) { throw new TypeError(`Parser error: ${what} in the selector '${this.#text}'`); }
  #peek(ahead = 0) {
    const at = this.#at + ahead;
    return at < this.#text.length ? StringPrototypeCharCodeAt(this.#text, at) : -1;
  }
  #is(char) { return this.#text[this.#at] === char; }
  #take(char) {
    if (!this.#is(char)) return false;
    this.#at++;
    return true;
  }
  #space() {
    const from = this.#at;
    while (isSpace(this.#peek())) this.#at++;
    return this.#at > from;
  }

  // escape is what comes after a backslash (CSS Syntax 4.3.7).
  #escape() {
    let c = this.#peek();
    if (c < 0 || c === 10 || c === 12 || c === 13) this.#fail("an escape is not valid");
    if (!isHex(c)) return this.#text[this.#at++];
    let value = 0;
    for (let i = 0; i < 6 && isHex(c); i++) {
      value = value * 16 + (isDigit(c) ? c - 0x30 : (c | 0x20) - 0x57);
      this.#at++;
      c = this.#peek();
    }
    if (isSpace(c)) this.#at++;
    return value === 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? "\ufffd" : fromCodePoint(value);
  }

  #name() {
    let name = "";
    for (;;) {
      const c = this.#peek();
      if (isName(c)) {
        name += this.#text[this.#at++];
      } else if (c === 0x5c) {
        this.#at++;
        name += this.#escape();
      } else {
        return name;
      }
    }
  }

  #identifier(what) {
    const c = this.#peek();
    const next = this.#peek(1);
    if (!(isNameStart(c) || c === 0x5c || (c === 0x2d && (isNameStart(next) || next === 0x2d || next === 0x5c)))) this.#fail(`${what} is missing or not valid`);
    return this.#name();
  }

  #string(quote) {
    let value = "";
    for (;;) {
      const c = this.#peek();
      if (c < 0 || c === 10 || c === 12 || c === 13) this.#fail("a string has no end");
      this.#at++;
      if (this.#text[this.#at - 1] === quote) return value;
      value += c === 0x5c ? this.#escape() : this.#text[this.#at - 1];
    }
  }

  #attribute() {
    this.#space();
    const name = lower(this.#identifier("an attribute's name"));
    this.#space();
    if (this.#take("]")) return { __proto__: null, kind: ATTRIBUTE, name, operator: "", value: "", fold: false };
    let operator = "=";
    if (!this.#is("=")) {
      operator = this.#text[this.#at++];
      if (operator === undefined || !StringPrototypeIncludes("~|^$*", operator)) this.#fail("an attribute's operator is not valid");
    }
    if (!this.#take("=")) this.#fail("an attribute's operator is not valid");
    this.#space();
    let value;
    if (this.#take('"')) value = this.#string('"');
    else if (this.#take("'")) value = this.#string("'");
    else value = this.#identifier("an attribute's value");
    this.#space();
    let fold = MapPrototypeHas(insensitive, name);
    if (!this.#is("]")) {
      const flag = this.#text[this.#at++];
      if (flag === "i" || flag === "I") fold = true;
      else if (flag === "s" || flag === "S") fold = false;
      else this.#fail("an attribute's flag is not valid");
      this.#space();
    }
    if (!this.#take("]")) this.#fail("a bracket is not closed");
    return { __proto__: null, kind: ATTRIBUTE, name, operator, value: fold ? lower(value) : value, fold };
  }

  // nth is an+b (CSS Syntax 6).
  #nth() {
    this.#space();
    let text = "";
    for (let c = this.#peek(); c >= 0 && c !== 0x29; c = this.#peek()) text += this.#text[this.#at++];
    text = lower(text);
    let end = text.length;
    while (end > 0 && isSpace(StringPrototypeCharCodeAt(text, end - 1))) end--;
    text = StringPrototypeSlice(text, 0, end);
    if (text === "even") return [2, 0];
    if (text === "odd") return [2, 1];
    let at = 0;
    const sign = () => (text[at] === "+" ? (at++, 1) : text[at] === "-" ? (at++, -1) : 0);
    const number = () => {
      let n;
      while (at < text.length && isDigit(StringPrototypeCharCodeAt(text, at))) n = (n ?? 0) * 10 + StringPrototypeCharCodeAt(text, at++) - 0x30;
      if (n !== undefined && !NumberIsInteger(n)) n = Infinity;
      return n;
    };
    const spaces = () => { while (isSpace(StringPrototypeCharCodeAt(text, at))) at++; };
    const s = sign() || 1;
    const n = number();
    let result;
    if (text[at] === "n") {
      at++;
      let b = 0;
      spaces();
      if (at < text.length) {
        const bs = sign();
        spaces();
        const value = number();
        if (bs === 0 || value === undefined) this.#fail("the argument of :nth is not valid");
        b = bs * value;
      }
      result = [s * (n ?? 1), b];
    } else {
      if (n === undefined) this.#fail("the argument of :nth is not valid");
      result = [0, s * n];
    }
    if (at !== text.length) this.#fail("the argument of :nth is not valid");
    return result;
  }

  #pseudo(inNot) {
    const name = lower(this.#identifier("a pseudo-class"));
    if (name === "first-child") return { __proto__: null, kind: NTH_CHILD, a: 0, b: 1 };
    if (name === "first-of-type") return { __proto__: null, kind: NTH_OF_TYPE, a: 0, b: 1 };
    if (name !== "nth-child" && name !== "nth-of-type" && name !== "not") this.#fail(`the pseudo-class ':${name}' is not supported`);
    if (!this.#take("(")) this.#fail(`':${name}' has no argument`);
    let test;
    if (name === "not") {
      if (inNot) this.#fail("':not' is nested");
      const list = [];
      do {
        this.#space();
        ArrayPrototypePush(list, this.#compound(true));
        this.#space();
      } while (this.#take(","));
      test = { __proto__: null, kind: NOT, list };
    } else {
      const nth = this.#nth();
      test = { __proto__: null, kind: name === "nth-child" ? NTH_CHILD : NTH_OF_TYPE, a: nth[0], b: nth[1] };
    }
    if (!this.#take(")")) this.#fail("a parenthesis is not closed");
    return test;
  }

  #compound(inNot) {
    const from = this.#at;
    const tests = [];
    let type = "";
    if (!this.#take("*")) {
      const c = this.#peek();
      if (isNameStart(c) || c === 0x5c || c === 0x2d) type = lower(this.#identifier("a name"));
    }
    for (;;) {
      if (this.#take(".")) {
        ArrayPrototypePush(tests, { __proto__: null, kind: ATTRIBUTE, name: "class", operator: "~", value: this.#identifier("a class"), fold: false });
      } else if (this.#take("#")) {
        if (!isName(this.#peek()) && this.#peek() !== 0x5c) this.#fail("an id is missing");
        ArrayPrototypePush(tests, { __proto__: null, kind: ATTRIBUTE, name: "id", operator: "=", value: this.#name(), fold: false });
      } else if (this.#take("[")) {
        ArrayPrototypePush(tests, this.#attribute());
      } else if (this.#take(":")) {
        if (this.#is(":")) this.#fail("pseudo-elements are not supported");
        ArrayPrototypePush(tests, this.#pseudo(inNot));
      } else {
        break;
      }
    }
    if (this.#at === from) this.#fail(this.#peek() < 0 ? "something is missing" : `'${this.#text[this.#at]}' is not expected`);
    return { __proto__: null, type, tests };
  }

  // list is a list of chains, each of [compound, combinator before it].
  list() {
    const list = [];
    do {
      const chain = [];
      this.#space();
      let combinator = "";
      for (;;) {
        ArrayPrototypePush(chain, { __proto__: null, compound: this.#compound(false), combinator });
        const space = this.#space();
        if (this.#take(">")) {
          combinator = ">";
          this.#space();
        } else if (this.#peek() < 0 || this.#is(",")) {
          break;
        } else if (this.#is("+") || this.#is("~") || this.#is("|")) {
          this.#fail(`the combinator '${this.#text[this.#at]}' is not supported`);
        } else if (space) {
          combinator = " ";
        } else {
          this.#fail(`'${this.#text[this.#at]}' is not expected`);
        }
      }
      ArrayPrototypePush(list, chain);
    } while (this.#take(","));
    return list;
  }
}

// parseSelector answers the chains of a selector.
export function parseSelector(text) { return new Parser(text).list(); }

// usesPosition tells whether a compound asks for an element's place among its
// siblings, and usesType whether among those of its type.
const usesPosition = (compound) => uses(compound, NTH_CHILD);
const usesType = (compound) => uses(compound, NTH_OF_TYPE);
function uses(compound, kind) {
  for (let i = 0; i < compound.tests.length; i++) {
    const test = compound.tests[i];
    if (test.kind === kind) return true;
    if (test.kind === NOT) for (let j = 0; j < test.list.length; j++) if (uses(test.list[j], kind)) return true;
  }
  return false;
}

// matches tells whether a start tag matches a compound: its name, attribute(name)
// → value or undefined, and its places, from 1.
export function matches(compound, name, attribute, position, typePosition) {
  if (compound.type !== "" && compound.type !== name) return false;
  const { tests } = compound;
  for (let i = 0; i < tests.length; i++) {
    const test = tests[i];
    switch (test.kind) {
      case ATTRIBUTE:
        if (!matchesAttribute(test, attribute(test.name))) return false;
        break;
      case NTH_CHILD:
        if (!isNth(position, test.a, test.b)) return false;
        break;
      case NTH_OF_TYPE:
        if (!isNth(typePosition, test.a, test.b)) return false;
        break;
      default:
        for (let j = 0; j < test.list.length; j++) if (matches(test.list[j], name, attribute, position, typePosition)) return false;
    }
  }
  return true;
}

function isNth(position, a, b) {
  const n = position - b;
  return a === 0 ? n === 0 : n % a === 0 && n / a >= 0;
}

function matchesAttribute(test, value) {
  if (value === undefined) return false;
  const { operator, value: wanted } = test;
  if (operator === "") return true;
  if (test.fold) value = lower(value);
  switch (operator) {
    case "=": return value === wanted;
    case "|": return value === wanted || StringPrototypeStartsWith(value, `${wanted}-`);
    case "~": return hasWord(value, wanted);
    case "^": return wanted !== "" && StringPrototypeStartsWith(value, wanted);
    case "$": return wanted !== "" && StringPrototypeEndsWith(value, wanted);
    default: return wanted !== "" && StringPrototypeIncludes(value, wanted);
  }
}

function hasWord(value, word) {
  if (word === "") return false;
  let from = 0;
  for (let i = 0; i <= value.length; i++) {
    if (i < value.length && !isSpace(StringPrototypeCharCodeAt(value, i))) continue;
    if (i - from === word.length && StringPrototypeSlice(value, from, i) === word) return true;
    from = i + 1;
  }
  return false;
}

// ---- states of selectors

// compile makes the states of all selectors: { compound, combinator, next, set }.
export function compile(sets) {
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

// withSet adds a selector's handlers in the order in which they were given.
export function withSet(sets, state) {
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

export function withState(states, state) {
  const list = [];
  for (let i = 0; i < states.length; i++) {
    if (states[i] === state) return states;
    ArrayPrototypePush(list, states[i]);
  }
  ArrayPrototypePush(list, state);
  return list;
}

export { lower };
