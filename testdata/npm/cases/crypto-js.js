import CryptoJS from "crypto-js";
import { equal } from "../check.js";

equal(CryptoJS.SHA256("abc").toString(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
equal(CryptoJS.MD5("").toString(), "d41d8cd98f00b204e9800998ecf8427e");
equal(CryptoJS.HmacSHA1("what do ya want for nothing?", "Jefe").toString(), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
const secret = CryptoJS.AES.encrypt("hello", "pass").toString();
equal(CryptoJS.AES.decrypt(secret, "pass").toString(CryptoJS.enc.Utf8), "hello");
equal(CryptoJS.AES.encrypt(CryptoJS.enc.Hex.parse("00112233445566778899aabbccddeeff"), CryptoJS.enc.Hex.parse("000102030405060708090a0b0c0d0e0f"), { mode: CryptoJS.mode.ECB, padding: CryptoJS.pad.NoPadding }).ciphertext.toString(), "69c4e0d86a7b0430d8cdb78070b4c55a");
equal(CryptoJS.enc.Base64.stringify(CryptoJS.enc.Utf8.parse("ä")), "w6Q=");
equal(CryptoJS.PBKDF2("password", "salt", { keySize: 5, iterations: 2, hasher: CryptoJS.algo.SHA1 }).toString(), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
equal(CryptoJS.lib.WordArray.random(16).sigBytes, 16);
