import assert from "node:assert/strict";
import { engineSources } from "../../src/sandbox/engine_sources.ts";

Deno.test("the realm gets ECMAScript alone: no import but the engine's, no host global", async () => {
  const sources = await engineSources();
  const ids = new Set(sources.map(({ id }) => id));
  for (const { id, code } of sources) {
    for (const [, from, bare] of code.matchAll(/\bfrom "([^"]+)";|^import "([^"]+)";/gm)) {
      const specifier = from ?? bare ?? "";
      assert.match(specifier, /^\.\.?\//, `${id} imports ${specifier}`);
      const target = new URL(specifier, id.replace("engine:", "file:")).pathname;
      assert.ok(ids.has(`engine:${target}`), `${id} imports ${specifier}`);
    }
    const words = code.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\])*"|`[^`]*`/g, "");
    for (const name of ["Deno", "process", "fetch", "TextDecoder", "TextEncoder", "setTimeout"]) {
      assert.doesNotMatch(words, new RegExp(`(?<![\\w.#])${name}\\b(?!:)`), `${id} uses ${name}`);
    }
  }
  assert.ok([...ids].every((id) => /^engine:\/(authoring|hl7|sandbox|errors\.ts)/.test(id)));
});
