/** Permission flags of these tests: read, write (temporary directories). */
import assert from "node:assert/strict";
import { realPathOf } from "../../../src/cli/paths.ts";
import { outsideOf, parsePermissionLog } from "../../../src/cli/serve/permission_log.ts";
import type { Grant } from "../../../src/cli/serve/permission_set.ts";
import { tempDir } from "../program.ts";

// Goal: the comparison can fail. Method: requests beside each kind of grant.
Deno.test("outsideOf() names every request that no grant covers", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/granted`);
  await Deno.symlink("/etc", `${dir.path}/granted/link`);
  const grant = (kind: Grant["kind"], value: string, action: Grant["action"] = "allow"): Grant => ({
    kind,
    action,
    value,
    reason: "test",
  });
  const grants = [
    grant("net", "127.0.0.1:2575"),
    grant("net", "10.0.0.1:80"),
    grant("net", "10.0.0.1:80", "deny"),
    grant("read", `${dir.path}/granted`),
    grant("env", "MEFOR_*"),
  ];
  const inside = [
    { permission: "net", value: "127.0.0.1:2575" },
    { permission: "read", value: `${dir.path}/granted` },
    { permission: "read", value: `${dir.path}/granted/not/yet` },
    { permission: "env", value: "MEFOR_VALUE_X" },
    { permission: "env", value: null },
  ];
  assert.deepEqual(outsideOf(grants, { log: inside, realPathOf }), []);
  const outside = [
    { permission: "net", value: "127.0.0.1:2576" },
    { permission: "net", value: "127.0.0.2:2575" },
    { permission: "net", value: "10.0.0.1:80" },
    { permission: "net", value: null },
    { permission: "read", value: `${dir.path}/granted-not` },
    { permission: "read", value: `${dir.path}/granted/link/passwd` },
    { permission: "read", value: null },
    { permission: "write", value: `${dir.path}/granted` },
    { permission: "env", value: "HOME" },
    { permission: "run", value: "/bin/sh" },
    { permission: "run", value: null },
    { permission: "ffi", value: "x.so" },
    { permission: "sys", value: "hostname" },
  ];
  assert.deepEqual(
    outsideOf(grants, { log: [...inside, ...outside, ...outside], realPathOf }),
    outside.map(({ permission, value }) => `${permission} ${value ?? "(all)"}`),
  );
});

Deno.test("parsePermissionLog() takes nothing for a request that is none", () => {
  const line = (rest: Record<string, unknown>) =>
    JSON.stringify({ v: 1, datetime: "2026-01-01T00:00:00Z", permission: "read", ...rest });
  assert.deepEqual(parsePermissionLog(`${line({ value: "/a" })}\n${line({ value: null })}\n`), [
    { permission: "read", value: "/a" },
    { permission: "read", value: null },
  ]);
  for (
    const bad of [line({}), line({ v: 2, value: "/a" }), line({ value: 1 }), "null", "{", "\0\0{}"]
  ) {
    assert.throws(
      () => parsePermissionLog(`${line({ value: "/a" })}\n${bad}\n`),
      /Line 2 is not of/,
    );
  }
});

// Goal: the address of a webhook is its secret.
Deno.test("parsePermissionLog() reads a URL as host and port, and keeps nothing else of it", () => {
  const line = (value: string) => JSON.stringify({ v: 1, permission: "net", value });
  const urls = [
    "https://hooks.example.com/services/SECRET",
    "http://hooks.example.com/x",
    "http://[2001:db8::7]:8080/x?token=SECRET",
    "https://",
  ];
  assert.deepEqual(parsePermissionLog(urls.map(line).join("\n")).map(({ value }) => value), [
    "hooks.example.com:443",
    "hooks.example.com:80",
    "[2001:db8::7]:8080",
    "https://",
  ]);
});
