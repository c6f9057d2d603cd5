import jwt from "jsonwebtoken";
import { equal, match, throws } from "../check.js";

const token = jwt.sign({ user: 7 }, "secret", { expiresIn: "1h", issuer: "me" });
match(token, /^eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\./);
equal(jwt.verify(token, "secret", { issuer: "me" }).user, 7);
throws(() => jwt.verify(token, "wrong"), /JsonWebTokenError: invalid signature/);
throws(() => jwt.verify(jwt.sign({ exp: 1 }, "k"), "k"), /TokenExpiredError: jwt expired/);
equal(jwt.decode(token, { complete: true }).header, { alg: "HS256", typ: "JWT" });
equal(jwt.sign({ a: 1 }, "k", { noTimestamp: true, algorithm: "HS512" }).split(".")[1], "eyJhIjoxfQ");
equal(await new Promise((resolve, reject) => jwt.verify(token, "secret", (e, v) => (e ? reject(e) : resolve(v.user)))), 7);
