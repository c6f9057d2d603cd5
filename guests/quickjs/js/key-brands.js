// The tests of what a key is, for modules that are evaluated before keys are
// defined, who put their tests here.
export const brands = { __proto__: null, isCryptoKey: undefined, isKeyObject: undefined };
