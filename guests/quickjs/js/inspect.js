// Values as text, exactly as node's util.inspect and util.format show them.
//
// The work is done by the package node-inspect-extracted (MIT: node's own
// formatter), which emulates in JavaScript what node's formatter asks of the
// engine. Here the emulation is exchanged for the engine's own knowledge:
// states of promises, targets of proxies, entries of iterators and weak
// collections, classes of objects.
import native from "mayfly:native";
import { evaluateCommonJS, replaceOnce } from "mayfly:commonjs";
import * as types from "mayfly:types";
import source from "mayfly:npm/node-inspect-extracted/dist/inspect.js" with { type: "text" };
import { ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, StringPrototypeStartsWith, uncurryThis } from "mayfly:primordials";

const { promiseDetails, proxyDetails, previewEntries } = native;
const ErrorPrototypeToString = uncurryThis(Error.prototype.toString);

const ONLY_ENUMERABLE = 2;
const constants = { kPending: 0, kFulfilled: 1, kRejected: 2, ALL_PROPERTIES: 0, ONLY_ENUMERABLE };

const getOwnNonIndexProperties = (object, filter) => native.ownNonIndexKeys(object, filter === ONLY_ENUMERABLE);

function getConstructorName(object) {
  for (let o = object; o !== null; o = ObjectGetPrototypeOf(o)) {
    const descriptor = ObjectGetOwnPropertyDescriptor(o, "constructor");
    if (descriptor !== undefined && typeof descriptor.value === "function" && descriptor.value.name !== "") return descriptor.value.name;
  }
  return "";
}

const binding = {
  constants,
  getOwnNonIndexProperties,
  getConstructorName,
  getPromiseDetails: (promise) => promiseDetails(promise) ?? [constants.kPending, undefined],
  // With full false: the target only. node answers undefined for what is no proxy.
  getProxyDetails(value, full = true) {
    const details = proxyDetails(value);
    return details === undefined || full ? details : details[0];
  },
  // With isIterator: the entries and whether they are pairs.
  previewEntries(value, isIterator = false) {
    const preview = previewEntries(value) ?? [[], false];
    return isIterator ? preview : preview[0];
  },
  getExternalValue: () => 0n,
  Proxy,
};

// V8's stacks begin with the error's name and message, this engine's with the
// first frame; and frames of ours say nothing to the program.
export function completeStack(error, stack) {
  if (stack !== "" && !StringPrototypeStartsWith(stack, "    at ")) return stack;
  const head = ErrorPrototypeToString(error);
  const frames = native.userStack(stack);
  return frames === "" ? head : `${head}\n${frames}`;
}

const name = "node-inspect-extracted";
// The bundle's modules 727 and 499 are node's util binding and util.types.
const patched = [
  ["const e={};return function n(r){const o=e[r]", 't[727]=m=>{m.exports=require("binding")};t[499]=m=>{m.exports=require("types")};const e={};return function n(r){const o=e[r]'],
  ['if("string"==typeof n)return n;', 'if("string"==typeof n)return require("completeStack")(e,n);'],
  // The package follows node's main branch; these are as in its long-term
  // releases: symbols as keys, sizes of buffers, proxies.
  ['s=t.stylize(e,"symbol")}else s=', 's=`[${t.stylize(e,"symbol")}]`}else s='],
  ["return!1===i.enumerable&&(s=", 'return!1===i.enumerable&&"symbol"!=typeof r&&(s='],
  ['${t.stylize(`[${r}]`,"string")}: ${i}', '${Ge(e)||qe(e)?r:`[${r}]`}: ${i}'],
  ["`{ [byteLength]: ${", "`{ byteLength: ${"],
  ["c=je(e=c,!1),s+=1}while(", "c=je(e=c,!1)}while("],
  // There are no atomics here.
  ['["Atomics","JSON","Math","Proxy","Reflect"]', '["JSON","Math","Proxy","Reflect"]'],
].reduce((text, [from, to]) => replaceOnce(name, text, from, to), source);
const library = evaluateCommonJS(name, patched, { binding, types, completeStack });

export const { inspect, format, formatWithOptions, stripVTControlCharacters, getStringWidth } = library;
export const customInspect = Symbol.for("nodejs.util.inspect.custom");
