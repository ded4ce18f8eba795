/**
 * Files: a polled directory as a source, one file for each message as a destination.
 *
 * Upstream of the source are the programs that drop files, downstream `pipeline/intake.ts`; the
 * destination stands between `pipeline/delivery.ts` and whoever picks its files up. Remote
 * directories (SFTP, FTP) do not belong here.
 */
import path from "node:path";
import type { Connector, Reach } from "../connector.ts";
import { FileDestination } from "./destination.ts";
import { readDestinationOptions, readSourceOptions } from "./options.ts";
import { FileSource } from "./source.ts";

export const file: Connector = {
  type: "file",

  createSource(options, context): FileSource {
    return new FileSource(readSourceOptions(options), context);
  },

  createDestination(options): FileDestination {
    return new FileDestination(readDestinationOptions(options));
  },

  reach(direction, settings): readonly Reach[] {
    // Inbound files are moved or deleted, so a source writes as well.
    const list = direction === "outbound" ? "allowed_file_dirs" : "";
    const directory = path.resolve(settings.directory as string);
    const recursive = direction === "inbound" && settings.recursive === true;
    return [{ kind: "path", list, path: directory, write: true, recursive }];
  },
};
