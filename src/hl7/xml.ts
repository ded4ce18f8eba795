/**
 * A small strict reader for XML payloads, made so that nothing outside the text can be reached.
 *
 * Elements, attributes, text, CDATA, comments and processing instructions; the five predefined
 * entities and character references. A document type is refused, so there are no other entities.
 * Namespaces are not resolved: names come as written. Source: XML 1.0 (fifth edition).
 */
import { Hl7SyntaxError } from "./errors.ts";

/** One element. */
export interface XmlElement {
  /** As written, prefix included: `soap:Body`. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Child elements in order. */
  readonly children: readonly XmlElement[];
  /** The text of this element itself, without that of its children. */
  readonly text: string;
}

/** How deep elements may nest. */
export const xmlDepthMax = 256;

/** @throws {Hl7SyntaxError} `hl7.xml_invalid`, naming the offset, never the content. */
export function parseXml(text: string): XmlElement {
  return new XmlReader(text).read();
}

const namePattern = /[\p{L}_:][\p{L}\p{N}\p{M}_:.\u00b7-]*/uy;
const spacePattern = /[ \t\r\n]*/y;
// Controls XML does not have; lone surrogates are covered by isWellFormed().
const forbiddenPattern = /[^\P{Cc}\t\r\n\u007f-\u009f]|[\ufffe\uffff]/u;

const predefined: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

interface OpenElement {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlElement[];
  text: string;
}

class XmlReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): XmlElement {
    const forbidden = this.#text.isWellFormed() ? this.#text.search(forbiddenPattern) : 0;
    if (forbidden >= 0) throw this.#problem("it holds a character that XML does not have");
    this.#skipMisc(true);
    if (!this.#text.startsWith("<", this.#at)) throw this.#problem("the root element is missing");
    const root = this.#readElements();
    this.#skipMisc(false);
    if (this.#at < this.#text.length) throw this.#problem("text follows the root element");
    return root;
  }

  /** Reads one element with all it holds, without recursion. */
  #readElements(): XmlElement {
    const open: OpenElement[] = [];
    for (;;) {
      const current = open.at(-1);
      if (current !== undefined) current.text += this.#readText();
      if (this.#at >= this.#text.length) throw this.#problem("an element is not closed");
      if (this.#skipComment() || this.#skipInstruction()) continue;
      if (current !== undefined && this.#text.startsWith("<![CDATA[", this.#at)) {
        current.text += this.#readCdata();
        continue;
      }
      if (current !== undefined && this.#text.startsWith("</", this.#at)) {
        this.#readEndTag(current.name);
        open.pop();
        const closed = closeElement(current);
        const parent = open.at(-1);
        if (parent === undefined) return closed;
        parent.children.push(closed);
        continue;
      }
      const { element, isEmpty } = this.#readStartTag();
      if (!isEmpty) {
        if (open.length >= xmlDepthMax) throw this.#problem("elements nest too deeply");
        open.push(element);
      } else if (current === undefined) {
        return closeElement(element);
      } else {
        current.children.push(closeElement(element));
      }
    }
  }

  #readStartTag(): { element: OpenElement; isEmpty: boolean } {
    this.#expect("<");
    const name = this.#readName();
    const attributes: Record<string, string> = Object.create(null);
    for (;;) {
      const hasSpace = this.#skipSpace();
      if (this.#take("/>")) return { element: newElement(name, attributes), isEmpty: true };
      if (this.#take(">")) return { element: newElement(name, attributes), isEmpty: false };
      if (!hasSpace) throw this.#problem("a start tag is malformed");
      const key = this.#readName();
      if (key in attributes) throw this.#problem("an attribute is repeated");
      this.#skipSpace();
      this.#expect("=");
      this.#skipSpace();
      attributes[key] = this.#readAttributeValue();
    }
  }

  #readAttributeValue(): string {
    const quote = this.#take('"') ? '"' : this.#take("'") ? "'" : undefined;
    if (quote === undefined) throw this.#problem("an attribute value is not quoted");
    const end = this.#text.indexOf(quote, this.#at);
    const raw = end < 0 ? "" : this.#text.slice(this.#at, end);
    if (end < 0 || raw.includes("<")) throw this.#problem("an attribute value is malformed");
    const value = this.#resolve(raw.replace(/\r\n|[\r\n\t]/g, " "));
    this.#at = end + 1;
    return value;
  }

  #readEndTag(name: string): void {
    this.#expect("</");
    if (this.#readName() !== name) throw this.#problem("an end tag does not match its start tag");
    this.#skipSpace();
    this.#expect(">");
  }

  /** Text up to the next markup, line ends as LF. */
  #readText(): string {
    const end = this.#text.indexOf("<", this.#at);
    const raw = end < 0 ? this.#text.slice(this.#at) : this.#text.slice(this.#at, end);
    if (raw === "") return "";
    if (raw.includes("]]>")) throw this.#problem("text holds the end of a CDATA section");
    const text = this.#resolve(unixLines(raw));
    this.#at += raw.length;
    return text;
  }

  #readCdata(): string {
    const start = this.#at + "<![CDATA[".length;
    const end = this.#text.indexOf("]]>", start);
    if (end < 0) throw this.#problem("a CDATA section is not closed");
    this.#at = end + 3;
    return unixLines(this.#text.slice(start, end));
  }

  #resolve(raw: string): string {
    if (!raw.includes("&")) return raw;
    return raw.replace(/&([^;&]{0,16})(;?)/g, (_, name: string, semicolon: string) => {
      const text = semicolon === "" ? undefined : predefined.get(name) ?? characterReference(name);
      if (text === undefined) throw this.#problem("an entity is not one of the predefined ones");
      return text;
    });
  }

  #skipMisc(isProlog: boolean): void {
    for (;;) {
      this.#skipSpace();
      if (this.#skipComment() || this.#skipInstruction()) continue;
      if (isProlog && this.#text.startsWith("<!", this.#at)) {
        throw this.#problem("a document type is not allowed");
      }
      return;
    }
  }

  #skipComment(): boolean {
    if (!this.#text.startsWith("<!--", this.#at)) return false;
    const end = this.#text.indexOf("--", this.#at + 4);
    if (end < 0 || this.#text[end + 2] !== ">") throw this.#problem("a comment is malformed");
    this.#at = end + 3;
    return true;
  }

  #skipInstruction(): boolean {
    if (!this.#text.startsWith("<?", this.#at)) return false;
    const end = this.#text.indexOf("?>", this.#at + 2);
    if (end < 0) throw this.#problem("a processing instruction is not closed");
    this.#at = end + 2;
    return true;
  }

  #skipSpace(): boolean {
    const start = this.#at;
    spacePattern.lastIndex = start;
    this.#at += spacePattern.exec(this.#text)?.[0].length ?? 0;
    return this.#at > start;
  }

  #readName(): string {
    namePattern.lastIndex = this.#at;
    const name = namePattern.exec(this.#text)?.[0];
    if (name === undefined) throw this.#problem("a name is malformed");
    this.#at += name.length;
    return name;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#problem("a tag is malformed");
  }

  #problem(what: string): Hl7SyntaxError {
    return new Hl7SyntaxError(
      "hl7.xml_invalid",
      `Cannot read payload as XML near offset ${this.#at}: ${what}`,
    );
  }
}

function newElement(name: string, attributes: Record<string, string>): OpenElement {
  return { name, attributes, children: [], text: "" };
}

function closeElement({ name, attributes, children, text }: OpenElement): XmlElement {
  return Object.freeze({
    name,
    attributes: Object.freeze(attributes),
    children: Object.freeze(children),
    text,
  });
}

function unixLines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

function characterReference(name: string): string | undefined {
  const match = /^#(?:(\d{1,7})|x([0-9A-Fa-f]{1,6}))$/.exec(name);
  if (match === null) return undefined;
  const code = match[1] === undefined ? Number.parseInt(match[2] ?? "", 16) : Number(match[1]);
  const isCharacter = code === 9 || code === 10 || code === 13 ||
    code >= 0x20 && code <= 0xd7ff || code >= 0xe000 && code <= 0xfffd ||
    code >= 0x10000 && code <= 0x10ffff;
  return isCharacter ? String.fromCodePoint(code) : undefined;
}
