/**
 * Names for outbound files, made from a template and the outgoing payload.
 *
 * A name comes in part from message data, so it is untrusted: what leaves here is one path segment
 * that every common file system takes. Source: spec connectors-and-graph §2.3.
 */
import { Message, type Path } from "../../hl7/mod.ts";

/** Taken when nothing usable is left of a name. */
const fallbackName = "message.hl7";

/** Stands in for a placeholder the payload has nothing for. */
const fallbackValue = "message";

/** What file systems allow. */
const systemBytesMax = 255;

/** Leaves room for a clash counter. */
const nameBytesMax = 240;

const extensionCharactersMax = 16;

const placeholder = /\{([A-Z][A-Z0-9]{2}-[1-9]\d{0,3}(?:\.[1-9]\d{0,3}){0,2})\}/g;

/** Fills `{SEG-F}`, `{SEG-F.C}` and `{SEG-F.C.S}` from the payload and makes the result safe. */
export function renderFilename(template: string, payload: string): string {
  let message: Message | undefined;
  let isParsed = false;
  const rendered = template.replace(placeholder, (_, path: Path) => {
    if (!isParsed) {
      message = parse(payload);
      isParsed = true;
    }
    return read(message, path) ?? fallbackValue;
  });
  return safeName(rendered);
}

/** Returns `name` as one path segment without anything a file system or shell takes specially. */
export function safeName(name: string): string {
  const replaced = [...name.toWellFormed()].map((character) =>
    isForbidden(character) ? "_" : character
  ).join("");
  // Windows drops trailing dots and blanks, so two names could become one.
  const bare = replaced.replace(/^[.\s]+/, "").replace(/[.\s]+$/, "");
  if (bare === "" || isDeviceName(bare)) return fallbackName;
  return shorten(bare);
}

/**
 * Inserts a clash counter before the extension: `a.hl7`, 2 → `a-2.hl7`. A name that a partner made
 * as long as can be gives way to it.
 */
export function numberedName(name: string, counter: number): string {
  if (counter === 0) return name;
  const { stem, extension } = splitExtension(name);
  const end = `-${counter}${extension}`;
  return cut(stem, systemBytesMax - bytesOf(end)) + end;
}

function parse(payload: string): Message | undefined {
  try {
    return Message.parse(payload);
  } catch {
    return undefined;
  }
}

function read(message: Message | undefined, path: Path): string | undefined {
  try {
    return message?.get(path);
  } catch {
    return undefined;
  }
}

function isForbidden(character: string): boolean {
  const code = character.codePointAt(0) as number;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || '<>:"/\\|?*'.includes(character);
}

/** Reserved by Windows with any extension. */
function isDeviceName(name: string): boolean {
  return /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\.|$)/i.test(name);
}

function shorten(name: string): string {
  if (bytesOf(name) <= nameBytesMax) return name;
  const { stem, extension } = splitExtension(name);
  return cut(stem, nameBytesMax - bytesOf(extension)) + extension;
}

/** As much of `text` as fits, between two characters. */
function cut(text: string, bytesMax: number): string {
  if (bytesOf(text) <= bytesMax) return text;
  let kept = "";
  let bytes = 0;
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > bytesMax) break;
    kept += character;
  }
  return kept;
}

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

const encoder = new TextEncoder();

function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const isExtension = dot > 0 && name.length - dot <= extensionCharactersMax;
  return isExtension
    ? { stem: name.slice(0, dot), extension: name.slice(dot) }
    : { stem: name, extension: "" };
}
