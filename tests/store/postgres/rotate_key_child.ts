/** Seals the store of its argument anew, and dies at a failpoint if that is passed. */
import { parseFailpoints } from "../../../src/failpoints.ts";
import { rotateServerKey } from "../../../src/store/postgres/rotate_key.ts";
import { rotatedKeys } from "../ciphers.ts";

const { server, failpoints } = JSON.parse(Deno.args[0]!);
await rotateServerKey({
  ...{ server, keys: rotatedKeys, now: 2_000_000 },
  failpoints: parseFailpoints(failpoints),
});
