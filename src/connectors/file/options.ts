/** What File sources and destinations are built from, read once from the settings. */
import path from "node:path";
import { fileSchema } from "../../authoring/connectors/file.ts";
import type { Codec } from "../../hl7/mod.ts";
import type { DestinationOptions, SourceOptions } from "../connector.ts";
import { SettingReader } from "../settings.ts";
import { Glob } from "./glob.ts";

export interface FileSourceOptions {
  /** Absolute. */
  readonly directory: string;
  readonly glob: Glob;
  readonly pollMs: number;
  readonly ageMsMin: number;
  readonly afterRead: "move" | "delete";
  readonly sort: "name" | "mtime";
  readonly isRecursive: boolean;
  /** Infinity for none. */
  readonly fileBytesMax: number;
  /** Below `directory`. */
  readonly processedSubdir: string;
  readonly errorSubdir: string;
  readonly codec: Codec;
  /** Only HL7 files are sniffed and split; any other file is one message as it is. */
  readonly isHl7: boolean;
}

export interface FileDestinationOptions {
  /** Absolute. */
  readonly directory: string;
  readonly filename: string;
  readonly overwrites: boolean;
  readonly codec: Codec;
}

/** @throws {ConnectorError} for settings that cannot work. */
export function readSourceOptions(options: SourceOptions): FileSourceOptions {
  const settings = new SettingReader(fileSchema, "in", options.settings);
  return {
    directory: path.resolve(settings.text("directory")),
    glob: new Glob(settings.text("pattern")),
    pollMs: settings.milliseconds("poll_seconds"),
    ageMsMin: settings.milliseconds("min_age_seconds"),
    afterRead: settings.text("after_read") === "delete" ? "delete" : "move",
    sort: settings.text("sort") === "mtime" ? "mtime" : "name",
    isRecursive: settings.flag("recursive"),
    fileBytesMax: settings.cap("max_file_bytes"),
    processedSubdir: settings.text("processed_subdir"),
    errorSubdir: settings.text("error_subdir"),
    codec: settings.codec("encoding"),
    isHl7: options.contentType === "hl7v2",
  };
}

/** @throws {ConnectorError} for settings that cannot work. */
export function readDestinationOptions(options: DestinationOptions): FileDestinationOptions {
  const settings = new SettingReader(fileSchema, "out", options.settings);
  return {
    directory: path.resolve(settings.text("directory")),
    filename: settings.text("filename"),
    overwrites: settings.flag("overwrite"),
    codec: settings.codec("encoding"),
  };
}
