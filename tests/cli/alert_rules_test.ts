// Goal: whatever a settings file looks like, a rule is added or removed and every other byte stays.
import assert from "node:assert/strict";
import { parse } from "@std/toml";
import fc from "fast-check";
import { countRuleTables, withoutRule, withRule } from "../../src/cli/alert_rules.ts";

const file = `# of the hospital
[alerts]
webhook_url = "https://hooks.example.com/x" # secret-ish

# Page at once.
[[alerts.rules]]
connection = "IB_*"  # inbounds
transports = [
  "webhook",
]

# Quiet.
# Really.
[[ alerts.rules ]] # second
connection = "OB_LOADTEST"
transports = []

# About the API.
[api]
port = 9000
`;

Deno.test("withoutRule() takes a rule with the comment above it, and nothing else", () => {
  assert.equal(countRuleTables(file), 2);
  assert.equal(
    withoutRule(file, 0),
    file.replace(/# Page at once[\s\S]*?(?=# Quiet)/, ""),
  );
  assert.equal(
    withoutRule(file, 1),
    file.replace(/# Quiet[\s\S]*?(?=# About)/, ""),
  );
  assert.equal(withoutRule(file, 2), file);
  assert.equal(withoutRule("[[alerts.rules]]\n", 0), "");
  assert.equal(withoutRule("[api]\n\n[[alerts.rules]]\nconnection = 'x'", 0), "[api]\n");
});

Deno.test("withRule() adds behind all others, with the line ends of the file", () => {
  const rule = { event_type: "queue_buildup", min_depth: 10, transports: ["webhook"] };
  const added = withRule(file, rule);
  assert.ok(added.startsWith(file));
  assert.deepEqual(plain((parse(added).alerts as { rules: unknown[] }).rules[2]), rule);
  assert.equal(withRule("", { connection: "X" }), '[[alerts.rules]]\nconnection = "X"\n');
  const windows = withRule(file.replaceAll("\n", "\r\n"), rule);
  assert.doesNotMatch(windows.replaceAll("\r\n", ""), /\n/);
});

Deno.test("rules added and removed in any order leave what a list of them would", () => {
  const rule = fc.record({
    connection: fc.string({ maxLength: 12 }),
    severity: fc.constantFrom("info", "critical"),
    cooldown_seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
    transports: fc.array(fc.constantFrom("webhook", "email"), { maxLength: 2 }),
  }, { requiredKeys: ["connection"] });
  const act = fc.oneof(
    rule.map((value) => ({ add: value })),
    fc.nat(5).map((index) => ({ remove: index })),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), (acts) => {
      let text = "[api]\nport = 1\n";
      const list: unknown[] = [];
      for (const one of acts) {
        if ("add" in one) {
          list.push(one.add);
          text = withRule(text, one.add as never);
        } else {
          list.splice(one.remove, 1);
          text = withoutRule(text, one.remove);
        }
        const { alerts, api } = parse(text) as { alerts?: { rules?: unknown[] }; api: unknown };
        assert.deepEqual(plain(alerts?.rules ?? []), plain(list));
        assert.deepEqual(plain(api), { port: 1 });
      }
    }),
    { numRuns: 300 },
  );
});

/** Without the prototypes that parsers and generators give. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
