// What the operations of all algorithms share: their errors, checks of usages.
import { DOMException } from "mayfly:intrinsics";
import { contains, makeKey, orderedUsages } from "mayfly:crypto-key";

export const syntaxError = (message) => new DOMException(message, "SyntaxError");
export const operationError = (message) => new DOMException(message, "OperationError");
export const notSupported = (message) => new DOMException(message, "NotSupportedError");
export const invalidAccess = (message) => new DOMException(message, "InvalidAccessError");

// checkUsages refuses usages that the key could not have.
export function checkUsages(usages, allowed) {
  for (let i = 0; i < usages.length; i++) if (!contains(allowed, usages[i])) throw syntaxError(`The key can't be used for ${usages[i]}`);
}

// requireUsages refuses a secret or private key without usages.
export function requireUsages(usages) {
  if (usages.length === 0) throw syntaxError("Usages cannot be empty when creating a key.");
}

export function requireType(key, type) {
  if (key.type !== type) throw invalidAccess(`The key is not a ${type} one`);
}

export const newKey = (type, extractable, algorithm, usages, kind, material) =>
  makeKey({ __proto__: null, type, extractable, algorithm, usages: orderedUsages(usages), kind, material });

// newPair makes a key pair: each of its keys has those usages that are its own.
export function newPair(pair, extractable, algorithm, usages, kind, publicUsages, privateUsages) {
  const of = (type, isExtractable, own, material) =>
    makeKey({ __proto__: null, type, extractable: isExtractable, algorithm, usages: orderedUsages(usages, own), kind, material });
  return {
    publicKey: of("public", true, publicUsages, pair.publicKey),
    privateKey: of("private", extractable, privateUsages, pair.privateKey),
  };
}
