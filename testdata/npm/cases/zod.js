import { z } from "zod";
import { equal, throws } from "../check.js";

const User = z.object({
  name: z.string().min(1), email: z.email(), age: z.number().int().positive().optional(), tags: z.array(z.enum(["a", "b"])).default([]),
});
equal(User.parse({ name: "Ada", email: "ada@example.com", extra: 1 }), { name: "Ada", email: "ada@example.com", tags: [] });
const bad = User.safeParse({ name: "", email: "x", age: -1 });
equal(bad.success, false);
equal(bad.error.issues.map((i) => [i.code, i.path.join(".")]), [["too_small", "name"], ["invalid_format", "email"], ["too_small", "age"]]);
equal(z.coerce.number().parse("42"), 42);
equal(z.string().transform((s) => s.length).pipe(z.number().max(3)).parse("abc"), 3);
const Shape = z.discriminatedUnion("kind", [z.object({ kind: z.literal("circle"), r: z.number() }), z.object({ kind: z.literal("square"), s: z.number() })]);
equal(Shape.parse({ kind: "square", s: 2 }), { kind: "square", s: 2 });
throws(() => Shape.parse({ kind: "other" }), /ZodError: .*invalid_union/s);
equal(z.toJSONSchema(z.object({ a: z.string() })).properties, { a: { type: "string" } });
equal(await z.string().refine(async (s) => s === "x").safeParseAsync("y").then((r) => r.success), false);
