import assert from "node:assert/strict";
import { Hl7SyntaxError, RawMessage } from "../../src/hl7/mod.ts";
import { parseXml, xmlDepthMax } from "../../src/hl7/xml.ts";
import fc from "fast-check";
import { code } from "./samples.ts";

Deno.test("parseXml() reads elements, attributes, text, CDATA and references", () => {
  const root = parseXml(
    '\n<?xml version="1.0"?><!-- c --><a:r x="1 &amp; 2" y=\'&#x41;\'>\r\n t &lt;<b/>u' +
      "<![CDATA[<&]]><!-- no --><?pi x?><c k='v'>in</c >&#233;</a:r>\n<!-- end -->",
  );
  assert.equal(root.name, "a:r");
  assert.deepEqual({ ...root.attributes }, { x: "1 & 2", y: "A" });
  assert.equal(root.text, "\n t <u<&é");
  assert.deepEqual(root.children.map((child) => child.name), ["b", "c"]);
  assert.equal(root.children[1]?.text, "in");
  assert.equal(root.children[1]?.attributes["k"], "v");
  assert.equal(new RawMessage("\ufeff<a/>", "xml").xml().name, "a");
});

Deno.test("parseXml() refuses document types, entities of their own and external references", () => {
  const hostile = [
    "<!DOCTYPE a><a/>",
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "<a>&x;</a>",
    '<a b="&x;"/>',
    "<a><!DOCTYPE b></a>",
  ];
  for (const text of hostile) assert.throws(() => parseXml(text), code("hl7.xml_invalid"), text);
});

Deno.test("parseXml() refuses what is not well-formed", () => {
  const malformed = [
    "",
    "text",
    "<a>",
    "</a>",
    "<a></b>",
    "<a/><b/>",
    "<a/>text",
    "<a b/>",
    "<a b=c/>",
    "<a b='1' b='2'/>",
    '<a b="<"/>',
    "<a b='1'c='2'/>",
    "<a>&amp</a>",
    "<a>& </a>",
    "<a>]]></a>",
    "<a><![CDATA[</a>",
    "<1/>",
    "<a><!-- -- --></a>",
    "<a>&#0;</a>",
    "<a>&#xD800;</a>",
    "<a>\u0001</a>",
    "<a>\ud800</a>",
    "<a",
    "<a b='1",
    "< a/>",
    "<?xml",
    "<a>&#x110000;</a>",
    "<![CDATA[x]]>",
  ];
  for (const text of malformed) assert.throws(() => parseXml(text), code("hl7.xml_invalid"), text);
});

Deno.test("parseXml() bounds its depth and names offsets, not content", () => {
  const deep = (n: number) => "<a>".repeat(n) + "</a>".repeat(n);
  assert.equal(parseXml(deep(xmlDepthMax)).name, "a");
  assert.throws(() => parseXml(deep(xmlDepthMax + 1)), code("hl7.xml_invalid"));
  assert.throws(() => parseXml(deep(100_000)), code("hl7.xml_invalid"));
  assert.throws(
    () => parseXml("<SECRET></OTHER>"),
    (error: Error) => !error.message.includes("SECRET"),
  );
});

Deno.test("parseXml() keeps attributes apart from what objects inherit", () => {
  const { attributes } = parseXml("<a __proto__='x' constructor='y'/>");
  assert.equal(attributes["__proto__"], "x");
  assert.equal(attributes["constructor"], "y");
  assert.equal(attributes["toString"], undefined);
});

Deno.test("parseXml() throws nothing but Hl7SyntaxError", () => {
  const pieces = fc.constantFrom(
    "<a>",
    "</a>",
    "<b ",
    "x='1'",
    "/>",
    ">",
    "&amp;",
    "&",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "t",
    "\u0000",
    '"',
    "<!DOCTYPE",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      try {
        parseXml(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof Hl7SyntaxError);
      }
    }),
    { numRuns: 2_000 },
  );
});
