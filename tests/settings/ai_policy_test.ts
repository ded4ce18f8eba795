import assert from "node:assert/strict";
import { aiPolicy, loadSettings } from "../../src/settings/mod.ts";

const modes = ["off", "byo", "managed_claude", "managed_claude_baa"] as const;
const scopes = ["code_only", "synthetic", "deidentified", "phi"] as const;

function policy(text: string) {
  const file = { path: "messagefoundry.toml", text: `[ai]\n${text}` };
  return aiPolicy(loadSettings({ file }).settings.ai);
}

function scopeOf(environment: string, mode: string, scope: string) {
  return policy(`environment = "${environment}"\nmode = "${mode}"\ndata_scope = "${scope}"\n`);
}

Deno.test("aiPolicy() of a plain dev instance is what the settings say", () => {
  assert.deepEqual(policy('environment = "dev"\n'), {
    mode: "byo",
    data_scope: "code_only",
    environment: "dev",
    data_class: "synthetic",
    production: false,
    reason: null,
  });
});

Deno.test("aiPolicy() takes an instance without a posture for production", () => {
  const unresolved = policy('data_scope = "synthetic"\n');
  assert.deepEqual(
    [unresolved.environment, unresolved.data_class, unresolved.production, unresolved.data_scope],
    [null, null, true, "code_only"],
  );
  assert.match(unresolved.reason ?? "", /^data_scope "synthetic" is lowered to "code_only": prod/);
});

// Goal: the whole table of clamps: rows are modes, columns the scope asked for.
Deno.test("aiPolicy() lowers the scope by posture and mode", () => {
  const table = (environment: string) =>
    modes.map((mode) =>
      scopes.map((scope) => scopeOf(environment, mode, scope).data_scope).join(" ")
    );
  for (const environment of ["dev", "staging"]) {
    assert.deepEqual(table(environment), [
      "code_only code_only code_only code_only",
      "code_only synthetic synthetic synthetic",
      "code_only synthetic synthetic synthetic",
      "code_only synthetic synthetic synthetic",
    ]);
  }
  assert.deepEqual(table("prod"), [
    "code_only code_only code_only code_only",
    "code_only code_only code_only code_only",
    "code_only code_only code_only code_only",
    "code_only synthetic code_only phi",
  ]);
});

Deno.test("aiPolicy() shows patient data under the covered mode only, never changes the mode", () => {
  for (const environment of ["dev", "staging", "prod"]) {
    for (const mode of modes) {
      for (const scope of scopes) {
        const found = scopeOf(environment, mode, scope);
        assert.equal(found.mode, mode);
        if (found.data_scope === "phi") assert.equal(mode, "managed_claude_baa");
      }
    }
  }
});

Deno.test("aiPolicy() says why it lowered, and nothing about an assistant that is off", () => {
  assert.equal(
    scopeOf("dev", "byo", "phi").reason,
    'data_scope "phi" is lowered to "synthetic": an instance that is not production allows no more',
  );
  assert.equal(
    scopeOf("prod", "managed_claude_baa", "deidentified").reason,
    'data_scope "deidentified" is lowered to "code_only": nothing removes identities yet',
  );
  assert.equal(scopeOf("dev", "off", "synthetic").reason, null);
});
