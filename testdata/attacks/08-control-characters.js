/*---
rows = [8, 21]
attack = "output of lone surrogates, NULs, escape sequences and invalid UTF-8 that must stay text inside of JSON"
match = "^\\[\"\\\\u0000"
stdout = "^done: .*\\n$"
---*/
const bad = "\0\x1b[2J\ud800\udfff\u2028\u2029\"\\\r\n</script>";
console.log("done:", bad, [bad], { [bad]: bad });
console.error(bad);
[bad, { [bad]: bad }];
