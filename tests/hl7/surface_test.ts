/**
 * Goal: everything authors reach runs where there is ECMAScript and nothing else.
 * Method: load `surface.ts` module by module into a bare `node:vm` context and use it there.
 */
import assert from "node:assert/strict";
import { stripTypeScriptTypes } from "node:module";
import vm from "node:vm";
import { oru } from "./samples.ts";

const root = new URL("../../src/", import.meta.url);

async function loadSurface() {
  const context = vm.createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
  });
  const modules = new Map<string, vm.SourceTextModule>();
  const load = (url: URL): vm.SourceTextModule => {
    const known = modules.get(url.href);
    if (known !== undefined) return known;
    const source = stripTypeScriptTypes(Deno.readTextFileSync(url), { mode: "strip" });
    const module = new vm.SourceTextModule(source, { context, identifier: url.href });
    modules.set(url.href, module);
    return module;
  };
  const surface = load(new URL("hl7/surface.ts", root));
  await surface.link((specifier, from) => {
    assert.match(specifier, /^\.\.?\/[a-z0-9_]+\.ts$/, "only neighbours and src/errors.ts");
    return load(new URL(specifier, from.identifier));
  });
  await surface.evaluate();
  return { context, modules, surface };
}

Deno.test("the author's surface imports no web API, no codec and nothing of the engine", async () => {
  const { modules } = await loadSurface();
  const names = [...modules.keys()].map((href) => href.slice(root.href.length)).sort();
  assert.ok(names.includes("hl7/message.ts"));
  assert.ok(!names.includes("hl7/charset.ts"));
  assert.deepEqual(names.filter((name) => !name.startsWith("hl7/")), ["errors.ts"]);
});

Deno.test("the author's surface works in a realm without host objects", async () => {
  const { context, surface } = await loadSurface();
  Object.assign(context, { hl7: surface.namespace, text: oru });
  const result = vm.runInContext(
    `(() => {
      if (typeof TextDecoder !== "undefined" || typeof Deno !== "undefined") return "not bare";
      const { Message, RawMessage, hl7Time, consistency, splitByObr, encodeCarriage } = hl7;
      const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
      const message = Message.parse(bytes).set("PID-5.1", "O^Brien").set("PID-8", "M");
      message.addSegment("NTE", { "3": "a|b" });
      const raw = new RawMessage(encodeCarriage(Uint8Array.of(1, 2, 255)), "binary");
      return JSON.stringify([
        message.get("PID-5.1"),
        message.encode().length,
        splitByObr(message).length,
        [...raw.bytes()],
        new RawMessage("<a>&#233;</a>", "xml").xml().text,
        [...new RawMessage("é", "text").bytes()],
        hl7Time.convert("202601020304+0000", { to: "Europe/Berlin" }),
        hl7Time.now().length,
        consistency.validDate(message, ["PID-7"]).length,
      ]);
    })()`,
    context,
  );
  assert.deepEqual(JSON.parse(result), [
    "O^Brien",
    oru.length + "O\\S\\Brien".length - "DOE".length + "NTE|||a\\F\\b\r".length,
    2,
    [1, 2, 255],
    "é",
    [0xc3, 0xa9],
    "202601020404+0100",
    14,
    0,
  ]);
});
