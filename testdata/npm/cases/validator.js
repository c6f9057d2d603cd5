import validator from "validator";
import { equal } from "../check.js";

equal(["a@example.com", "a@b", "x y@z.com"].map((s) => validator.isEmail(s)), [true, false, false]);
equal([validator.isURL("https://example.com/a?b"), validator.isURL("nope")], [true, false]);
equal([validator.isIP("::1"), validator.isIP("1.2.3.4", 4), validator.isIP("1.2.3.256")], [true, true, false]);
equal(validator.isCreditCard("4111 1111 1111 1111"), true);
equal(validator.isUUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), true);
equal(validator.escape("<a href='x'>"), "&lt;a href=&#x27;x&#x27;&gt;");
equal(validator.normalizeEmail("Some.One+tag@GMail.com"), "someone@gmail.com");
equal([validator.isISO8601("2024-02-30", { strict: true }), validator.isISO8601("2024-02-29", { strict: true })], [false, true]);
equal(validator.isStrongPassword("aB3$efgh"), true);
equal(validator.isMobilePhone("+49 151 12345678".replace(/ /g, ""), "de-DE"), true);
