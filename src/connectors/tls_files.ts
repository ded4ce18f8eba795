/**
 * Loads the PEM files of a TLS connection and finds out at once what is wrong with them.
 *
 * The runtime looks at certificates and keys only when the first handshake needs them; a connection
 * that could never work must fail when it is built, so every file is read and matched here.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { ConnectorError } from "./connector.ts";

/** Paths and passphrase as the settings give them. */
export interface TlsFiles {
  readonly certFile: string | undefined;
  /** When undefined, the certificate's file holds the key too. */
  readonly keyFile: string | undefined;
  readonly keyPassword: string | undefined;
  readonly caFile: string | undefined;
}

/** What `node:tls` takes; undefined where the settings name nothing. */
export interface TlsMaterial {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

/**
 * Reads and checks the files. The key comes back decrypted, so it must not be logged.
 *
 * @throws {ConnectorError} `connector.tls_file_unreadable`, `connector.tls_certificate_invalid`,
 * `connector.tls_key_invalid` or `connector.tls_key_mismatch`.
 */
export function loadTlsFiles(files: TlsFiles): TlsMaterial {
  const ca = files.caFile === undefined ? undefined : readPem(files.caFile);
  if (ca !== undefined) readCertificates(ca, files.caFile as string);
  if (files.certFile === undefined) return { cert: undefined, key: undefined, ca };

  const cert = readPem(files.certFile);
  const [leaf] = readCertificates(cert, files.certFile);
  const keyFile = files.keyFile ?? files.certFile;
  const key = readKey(readPem(keyFile), { file: keyFile, password: files.keyPassword });
  if (!leaf?.checkPrivateKey(key)) {
    throw new ConnectorError(
      "connector.tls_key_mismatch",
      `Cannot use private key "${keyFile}": it does not belong to certificate "${files.certFile}"`,
    );
  }
  return { cert, key: key.export({ type: "pkcs8", format: "pem" }) as string, ca };
}

function readPem(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (cause) {
    throw new ConnectorError("connector.tls_file_unreadable", `Cannot read TLS file "${file}"`, {
      cause,
      hint: "Check the path, its owner and the read permission of the process",
    });
  }
}

function readCertificates(pem: string, file: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // Told below: the parser's own words name no file.
  }
  throw new ConnectorError(
    "connector.tls_certificate_invalid",
    `Cannot use "${file}": it holds no readable PEM certificate`,
  );
}

function readKey(pem: string, { file, password }: { file: string; password?: string }): KeyObject {
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/
    .exec(pem)?.[0];
  try {
    if (key !== undefined) return createPrivateKey({ key, passphrase: password });
  } catch {
    // Told below, without the parser's words: they could repeat parts of the key.
  }
  const isEncrypted = key !== undefined && /ENCRYPTED/.test(key);
  throw new ConnectorError(
    "connector.tls_key_invalid",
    `Cannot use private key "${file}": ${
      isEncrypted
        ? password === undefined ? "it is encrypted" : "tls_key_password does not open it"
        : "it holds no readable PEM key"
    }`,
    { hint: isEncrypted ? "Set tls_key_password from the environment" : undefined },
  );
}
