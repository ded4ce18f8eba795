/**
 * A payload that is not HL7 v2: JSON, XML, text, X12, FHIR, or bytes in base64 carriage.
 *
 * Read-only, so that every handler may share one.
 */
import { decodeCarriage } from "./carriage.ts";
import { Hl7CharsetError, Hl7SyntaxError } from "./errors.ts";
import { encodeUtf8 } from "./utf8.ts";
import { parseXml, type XmlElement } from "./xml.ts";

/** What an inbound connection carries. */
export type ContentType =
  | "hl7v2"
  | "json"
  | "xml"
  | "text"
  | "x12"
  | "fhir"
  | "binary"
  | "dicom";

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

export class RawMessage {
  readonly #raw: string;
  readonly #contentType: ContentType;

  constructor(raw: string, contentType: ContentType) {
    this.#raw = raw;
    this.#contentType = contentType;
  }

  get contentType(): ContentType {
    return this.#contentType;
  }

  /** The payload as stored: text, or the base64 carriage of bytes. */
  get raw(): string {
    return this.#raw;
  }

  /** The same as `raw`. */
  get text(): string {
    return this.#raw;
  }

  /** True when `raw` is a carriage and `bytes()` the content. */
  get isBinary(): boolean {
    return this.#contentType === "binary" || this.#contentType === "dicom";
  }

  /** @throws {Hl7SyntaxError} `hl7.json_invalid` */
  json<T = Json>(): T {
    try {
      return JSON.parse(withoutBom(this.#raw)) as T;
    } catch {
      // The built-in message quotes the text, so it does not travel.
      throw new Hl7SyntaxError("hl7.json_invalid", "Cannot read payload as JSON");
    }
  }

  /**
   * The root element. Document types, entities of their own and external references are refused.
   *
   * @throws {Hl7SyntaxError} `hl7.xml_invalid`
   */
  xml(): XmlElement {
    return parseXml(withoutBom(this.#raw));
  }

  /**
   * The content as bytes: out of the carriage, or the text as UTF-8.
   *
   * @throws {Hl7SyntaxError} `hl7.carriage_corrupt`
   * @throws {Hl7CharsetError} `hl7.unencodable` when the text holds half a surrogate pair.
   */
  bytes(): Uint8Array {
    if (this.isBinary) return decodeCarriage(this.#raw);
    const bytes = encodeUtf8(this.#raw);
    if (typeof bytes !== "number") return bytes;
    throw new Hl7CharsetError("hl7.unencodable", `Cannot encode payload at position ${bytes}`, {
      position: bytes,
    });
  }

  /** The payload as it is sent on: `raw`. */
  encode(): string {
    return this.#raw;
  }
}

function withoutBom(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
