/*---
rows = [19, 25]
attack = "hooks that run while the result is made: toJSON, getters, proxies and species must see user values only"
match = "^\\[1,2\\]$|^\\{|^\"|^null$"
---*/
const seen = [];
Object.prototype.toJSON = function (key) { seen.push(Object.keys(this).length > 1000); return Array.isArray(this) ? [1, 2] : this; };
String.prototype.toJSON = Number.prototype.toJSON = Boolean.prototype.toJSON = function () { return 2; };
JSON.stringify = () => { throw new Error("polluted"); };
const caller = (function f() { try { return f.caller; } catch { return null; } })();
if (caller !== null && caller !== undefined) throw new Error("caller " + caller);
[1, 2];
