// JSON Web Keys (RFC 7517) as Web Crypto has them: the dictionary, what is
// checked of it for every algorithm, and the way back.
import { DOMException, TypeError } from "mayfly:intrinsics";
import { exportMembers } from "mayfly:crypto-host";
import { contains } from "mayfly:crypto-key";
import { ArrayPrototypePush, ArrayPrototypeSlice, ObjectDefineProperty, ObjectHasOwn } from "mayfly:primordials";

export const dataError = (message) => new DOMException(message, "DataError");

const string = (v) => `${v}`;
const strings = (v, name) => {
  if (typeof v !== "object" && typeof v !== "function" || v === null) throw new TypeError(`The JWK's member "${name}" is not a sequence`);
  const list = [];
  for (const item of v) ArrayPrototypePush(list, `${item}`); // as Web IDL says, by the program's own iterator
  return list;
};

// The members of JsonWebKey, in the order of their names.
const MEMBERS = [
  ["alg", string], ["crv", string], ["d", string], ["dp", string], ["dq", string], ["e", string], ["ext", (v) => !!v], ["k", string], ["key_ops", strings],
  ["kty", string], ["n", string], ["oth", (v) => (strings(v, "oth"), true)], ["p", string], ["q", string], ["qi", string], ["use", string], ["x", string], ["y", string],
];

// toJWK converts a program's value to the dictionary JsonWebKey.
export function toJWK(value) {
  const jwk = { __proto__: null };
  if (value === undefined || value === null) return jwk;
  if (typeof value !== "object" && typeof value !== "function") throw new TypeError("The key data is neither a BufferSource nor a JsonWebKey");
  for (let i = 0; i < MEMBERS.length; i++) {
    const name = MEMBERS[i][0];
    const member = value[name];
    if (member !== undefined) jwk[name] = MEMBERS[i][1](member, name);
  }
  return jwk;
}

// checkJWK checks kty, use, key_ops and ext.
export function checkJWK(jwk, kty, use, extractable, usages) {
  if (jwk.kty !== kty) throw dataError(`The JWK's member "kty" is not "${kty}"`);
  if (usages.length > 0 && jwk.use !== undefined && jwk.use !== use) throw dataError(`The JWK's member "use" is not "${use}"`);
  const operations = jwk.key_ops;
  if (operations !== undefined) {
    for (let i = 0; i < operations.length; i++) {
      if (contains(ArrayPrototypeSlice(operations, 0, i), operations[i])) throw dataError('The JWK\'s member "key_ops" has duplicates');
    }
    for (let i = 0; i < usages.length; i++) {
      if (!contains(operations, usages[i])) throw dataError('The JWK\'s member "key_ops" lacks a usage that is asked for');
    }
  }
  if (jwk.ext === false && extractable) throw dataError('The JWK\'s member "ext" forbids that the key is extractable');
}

// membersOf answers those members that are the key, as pairs for the host.
export function membersOf(jwk, names) {
  const members = [];
  for (let i = 0; i < names.length; i++) if (ObjectHasOwn(jwk, names[i])) ArrayPrototypePush(members, [names[i], jwk[names[i]]]);
  return members;
}

// formatJWK makes the object that a program gets.
export function formatJWK(kty, alg, slots, kind) {
  const jwk = {};
  const set = (name, value) => ObjectDefineProperty(jwk, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  set("key_ops", ArrayPrototypeSlice(slots.usages));
  set("ext", slots.extractable);
  set("kty", kty);
  if (alg !== undefined) set("alg", alg);
  const members = exportMembers(kind, slots.type === "private", slots.material);
  for (let i = 0; i < members.length; i++) set(members[i][0], members[i][1]);
  return jwk;
}
