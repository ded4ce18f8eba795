/** The TLS of the API as the settings say it: which files, and how they are read. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { ApiTls, TlsMaterial } from "../../api/mod.ts";
import { ClientCertificates } from "../../connectors/client_certificates.ts";
import { loadTlsFiles } from "../../connectors/tls_files.ts";
import { EngineError } from "../../errors.ts";
import type { Settings } from "../../settings/mod.ts";

type ApiSettings = Settings["api"];

/**
 * Returns undefined when `[api] tls_cert_file` is not set. The files are read once, so that a start
 * that cannot serve ends before anything is opened.
 *
 * @throws {EngineError} `api.tls_files`.
 */
export function apiTls(api: ApiSettings): ApiTls | undefined {
  if (api.tlsCertFile === undefined) return undefined;
  const load = () => loadApiFiles(api);
  load();
  return {
    minVersion: api.tlsMinVersion,
    files: apiTlsFiles(api).map(({ path }) => path),
    load,
    clientsOf: (ca) => new ClientCertificates(ca),
  };
}

/** Every file, absolute, with the key that names it. */
export function apiTlsFiles(api: ApiSettings): readonly { key: string; path: string }[] {
  const files = [
    ["tls_cert_file", api.tlsCertFile],
    ["tls_key_file", api.tlsKeyFile],
    ["tls_client_ca_file", api.tlsClientCaFile],
  ] as const;
  return files.flatMap(([key, file]) => file === undefined ? [] : [{ key, path: resolve(file) }]);
}

function loadApiFiles(api: ApiSettings): TlsMaterial {
  try {
    const { cert, key, ca } = loadTlsFiles({
      certFile: api.tlsCertFile,
      keyFile: api.tlsKeyFile,
      keyPassword: api.tlsKeyPassword?.reveal(),
      caFile: api.tlsClientCaFile,
    });
    assert(cert !== undefined && key !== undefined);
    checkRuntimeTakes({ cert, key }, api.tlsCertFile!);
    return { cert, key, ca };
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause;
    const fault = cause.message[0]!.toLowerCase() + cause.message.slice(1);
    throw new EngineError("api.tls_files", `Cannot serve the API over TLS: ${fault}`, {
      cause,
      hint: cause.code === "connector.tls_key_invalid"
        ? "Put the passphrase of the key into MEFOR_API_TLS_KEY_PASSWORD"
        : cause.hint,
    });
  }
}

/** Such as a key of too few bits, which would fail every handshake. */
function checkRuntimeTakes(pair: { cert: string; key: string }, file: string): void {
  try {
    createSecureContext(pair);
  } catch {
    throw new EngineError("api.tls_files", `Cannot use "${file}": the runtime refuses its key`, {
      hint: "Take a key of a usual kind: P-256, or RSA of 2048 bits or more",
    });
  }
}
