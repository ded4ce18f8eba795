import assert from "node:assert/strict";
import { diagnosticText, typeDiagnostics } from "../../src/cli/runtime_tools.ts";

// Goal: each diagnostic of the type checker keeps its own place, whatever source stands between.
Deno.test("typeDiagnostics() reads message, code and place of every diagnostic", () => {
  const text = `Check file:///srv/b/graph/a.ts
TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
const x: number = "a";
      ^
    at file:///srv/b/graph/a.ts:2:7

TS2345 [ERROR]: Argument of type '{}' is not assignable to parameter of type 'Message'.
  Type '{}' is missing the following properties: get, set
send(lab, {});
          ~~
    at file:///srv/b/graph/_b%20c.ts:14:11

    TS6203 [ERROR]: 'x' was also declared here.
        at file:///srv/other/d.ts:1:1

Found 2 errors.

error: Type checking failed.
`;
  const found = typeDiagnostics(text, "/srv/b");
  assert.deepEqual(found.map(diagnosticText), [
    "graph/a.ts:2:7: Type 'string' is not assignable to type 'number'. (TS2322)",
    "graph/_b c.ts:14:11: Argument of type '{}' is not assignable to parameter of type 'Message'. (TS2345)",
  ]);
  assert.deepEqual(typeDiagnostics("error: Module not found\n", "/srv/b"), []);
});
