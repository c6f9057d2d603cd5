import * as jose from "jose";
import { equal, match, rejects } from "../check.js";

const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const token = await new jose.SignJWT({ admin: true }).setProtectedHeader({ alg: "HS256" }).setIssuedAt().setIssuer("me").setExpirationTime("2h").sign(secret);
match(token, /^eyJhbGciOiJIUzI1NiJ9\./);
const { payload, protectedHeader } = await jose.jwtVerify(token, secret, { issuer: "me" });
equal([payload.admin, protectedHeader.alg], [true, "HS256"]);
await rejects(jose.jwtVerify(token, secret, { issuer: "you" }), /JWTClaimValidationFailed/);
await rejects(jose.jwtVerify(token.slice(0, -2) + "AA", secret), /JWSSignatureVerificationFailed/);
// RFC 7515, A.1
const key = await jose.importJWK({ kty: "oct", k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" }, "HS256");
const rfc = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
equal(JSON.parse(new TextDecoder().decode((await jose.compactVerify(rfc, key)).payload)).iss, "joe");
const jwe = await new jose.CompactEncrypt(new TextEncoder().encode("hidden")).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(secret);
equal(new TextDecoder().decode((await jose.compactDecrypt(jwe, secret)).plaintext), "hidden");
equal(await jose.calculateJwkThumbprint({ kty: "oct", k: "AA" }), await jose.calculateJwkThumbprint({ k: "AA", kty: "oct", alg: "HS256" }));
equal(jose.decodeJwt(token).iss, "me");
const pair = await jose.generateKeyPair("ES256");
equal((await jose.jwtVerify(await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: "ES256" }).sign(pair.privateKey), pair.publicKey)).payload.a, 1);
