import assert from "node:assert/strict";
import fc from "fast-check";
import {
  asRecoveryCode,
  fromBase32,
  hotp,
  makeRecoveryCode,
  makeSecret,
  matchedStep,
  otpauthUri,
  STEP_SECONDS,
  stepOf,
  toBase32,
} from "../../src/auth/one_time_codes.ts";

const rfcKey = new TextEncoder().encode("12345678901234567890");

Deno.test("hotp() gives the codes of RFC 4226, appendix D", () => {
  const codes = Array.from({ length: 10 }, (_, counter) => hotp(rfcKey, counter));
  assert.deepEqual(codes, [
    ...["755224", "287082", "359152", "969429", "338314"],
    ...["254676", "287922", "162583", "399871", "520489"],
  ]);
});

Deno.test("the codes of RFC 6238, appendix B, are those of their times", () => {
  // The RFC shows eight digits; ours are the last six.
  const vectors: readonly (readonly [number, string])[] = [
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
    [20000000000, "353130"],
  ];
  for (const [seconds, code] of vectors) {
    assert.equal(hotp(rfcKey, stepOf(seconds * 1000)), code);
    assert.equal(matchedStep(toBase32(rfcKey), code, seconds * 1000), stepOf(seconds * 1000));
  }
});

Deno.test("matchedStep() takes one step either side, each as what it is", () => {
  const secret = makeSecret();
  const now = 1_800_000_015_000;
  const current = stepOf(now);
  const at = (steps: number) => matchedStep(secret, hotp(fromBase32(secret), current + steps), now);
  assert.deepEqual([at(-1), at(0), at(1)], [current - 1, current, current + 1]);
  assert.deepEqual([at(-2), at(2), at(5)], [undefined, undefined, undefined]);
  for (const code of ["", "12345", "1234567", "abcdef", " 23456", "１２３４５６"]) {
    assert.equal(matchedStep(secret, code, now), undefined, code);
  }
  assert.equal(STEP_SECONDS, 30);
});

Deno.test("base32 comes back as it was, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    assert.deepEqual(fromBase32(toBase32(bytes)), bytes);
  }));
  assert.equal(toBase32(new TextEncoder().encode("foobar")), "MZXW6YTBOI", "RFC 4648 §10");
  assert.equal(makeSecret().length, 32);
});

Deno.test("otpauthUri() names issuer, account and parameters", () => {
  assert.equal(
    otpauthUri("ann lee", "ABC"),
    "otpauth://totp/MessageFoundry:ann%20lee?secret=ABC&issuer=MessageFoundry" +
      "&algorithm=SHA1&digits=6&period=30",
  );
});

Deno.test("recovery codes are legible, and read in any case and grouping", () => {
  const codes = Array.from({ length: 200 }, makeRecoveryCode);
  assert.equal(new Set(codes).size, codes.length);
  for (const code of codes) {
    assert.match(code, /^([A-HJKMNP-Z2-9]{5}-){2}[A-HJKMNP-Z2-9]{5}$/);
    assert.equal(asRecoveryCode(code.toLowerCase().replaceAll("-", " ")), code);
  }
  for (const none of ["", "123456", "AAAAA-AAAAA-AAAA", "AAAAA-AAAAA-AAAA0", "I".repeat(15)]) {
    assert.equal(asRecoveryCode(none), undefined, none);
  }
});
