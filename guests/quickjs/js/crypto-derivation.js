// HKDF and PBKDF2 (Web Crypto, sections 33 and 34).
import { hkdf as hkdfBytes, pbkdf2 as pbkdf2Bytes } from "mayfly:crypto-host";
import { checkUsages, newKey, notSupported, operationError, syntaxError } from "mayfly:crypto-operation";
import { bytesCopy } from "mayfly:primordials";

const derivation = (derive) => ({
  __proto__: null,
  importKey(format, data, { name }, extractable, usages) {
    if (format !== "raw") throw notSupported(`The key has no format "${format}"`);
    checkUsages(usages, ["deriveKey", "deriveBits"]);
    if (extractable) throw syntaxError(`A key of ${name} can't be extractable`);
    return newKey("secret", false, { __proto__: null, name }, usages, 0, bytesCopy(data));
  },
  getKeyLength: () => null,
  deriveBits(algorithm, key, length) {
    if (length === null || length === 0 || length % 8 !== 0) throw operationError("The length has to be a multiple of 8, and not 0");
    return derive(algorithm, key.material, length / 8);
  },
});

export const hkdf = derivation(({ hash, salt, info }, key, n) => hkdfBytes(hash, n, key, salt, info));
export const pbkdf2 = derivation(({ hash, salt, iterations }, key, n) => {
  if (iterations === 0) throw operationError("There has to be an iteration");
  return pbkdf2Bytes(hash, iterations, n, key, salt);
});
