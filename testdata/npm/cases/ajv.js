// needs eval
import Ajv from "ajv";
import { equal, throws } from "../check.js";

const ajv = new Ajv({ allErrors: true, useDefaults: true });
const validate = ajv.compile({
  type: "object",
  properties: { id: { type: "integer", minimum: 1 }, name: { type: "string", pattern: "^[a-z]+$" }, tags: { type: "array", items: { type: "string" }, uniqueItems: true }, size: { type: "number", default: 2 } },
  required: ["id"], additionalProperties: false,
});
const data = { id: 1, name: "abc", tags: ["x"] };
equal(validate(data), true);
equal(data.size, 2);
equal(validate({ id: 0, name: "A", tags: ["x", "x"], more: 1 }), false);
equal(validate.errors.map((e) => e.keyword).sort(), ["additionalProperties", "minimum", "pattern", "uniqueItems"]);
equal(ajv.errorsText([validate.errors.find((e) => e.keyword === "minimum")]), "data/id must be >= 1");
throws(() => ajv.compile({ type: "nonsense" }), /schema is invalid/);
ajv.addKeyword({ keyword: "even", type: "number", validate: (_, n) => n % 2 === 0 });
equal([2, 3].map((n) => ajv.validate({ even: true }, n)), [true, false]);
