/** What is said of a database that cannot be read: the place, and nothing of what it holds. */
import { EngineError } from "../errors.ts";
import type { DatabaseReference } from "../graph/graph.ts";

type Place = Pick<DatabaseReference, "host" | "port">;

export function unreachable({ host, port }: Place): EngineError {
  return sourceFailure("reference.unreachable", `no connection to "${host}:${port}"`, {
    hint: "Check server and port of the set, and the server itself",
  });
}

export function tlsRefused({ host, port }: Place): EngineError {
  return sourceFailure(
    "reference.tls_refused",
    `no TLS with "${host}:${port}" that can be trusted`,
    {
      hint: "Name the authority's PEM file in tlsCaFile, and the server as in its certificate",
    },
  );
}

export function timedOut(): EngineError {
  return sourceFailure("reference.timed_out", "the query takes longer than allowed", {
    hint: "Make it cheaper, or raise its statementTimeout",
  });
}

/** Whether what a library says of a connection in TLS is about TLS. */
export function isAboutTls(text: string): boolean {
  return /certificate|CERT|ISSUER|SSL|TLS|self.signed|encrypt/i.test(text);
}

export function sourceFailure(
  code: string,
  reason: string,
  options: { readonly hint: string },
): EngineError {
  return new EngineError(code, `Cannot read the source: ${reason}`, options);
}
