import { NIL, parse, stringify, v1, v4, v5, v7, validate, version } from "uuid";
import { equal, match, ok } from "../check.js";

match(v4(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
ok(v4() !== v4(), "two equal ids");
equal(v5("www.example.com", v5.DNS), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
equal([version(v1()), version(v7())], [1, 7]);
equal([validate(NIL), validate("nope")], [true, false]);
equal(stringify(parse("6ba7b811-9dad-11d1-80b4-00c04fd430c8")), "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
const first = v7({ msecs: 1 });
ok(first < v7({ msecs: 2 }), "v7 does not sort by time");
