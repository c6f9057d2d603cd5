import { customAlphabet, nanoid, urlAlphabet } from "nanoid";
import { nanoid as insecure } from "nanoid/non-secure";
import { equal, match, ok } from "../check.js";

match(nanoid(), /^[\w-]{21}$/);
match(customAlphabet("01", 64)(), /^[01]{64}$/);
const ids = new Set(Array.from({ length: 2000 }, () => nanoid(10)));
equal(ids.size, 2000);
equal(urlAlphabet.length, 64);
ok(insecure(5).length === 5, "length");
