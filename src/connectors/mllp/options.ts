/** What MLLP sources and destinations are built from, read once from the settings. */
import net from "node:net";
import type { ConnectionOptions, TlsOptions } from "node:tls";
import { mllpSchema } from "../../authoring/connectors/mllp.ts";
import { type Codec, type Delimiters, parseEncodingCharacters } from "../../hl7/mod.ts";
import { plainHost } from "../../settings/mod.ts";
import { AllowList } from "../allow_list.ts";
import {
  ConnectorError,
  type DestinationOptions,
  type ListenAddress,
  type SourceOptions,
} from "../connector.ts";
import { SettingReader } from "../settings.ts";
import { loadTlsFiles, type TlsMaterial } from "../tls_files.ts";

export interface MllpSourceOptions {
  readonly address: ListenAddress;
  readonly allowList: AllowList;
  /** Infinity for none, as in the other caps. */
  readonly connectionsMax: number;
  readonly receiveTimeoutMs: number;
  readonly frameBytesMax: number;
  /** Undefined for plain TCP. */
  readonly tls: TlsOptions | undefined;
}

export interface MllpDestinationOptions {
  readonly host: string;
  readonly port: number;
  readonly codec: Codec;
  readonly connectTimeoutMs: number;
  /** For the write, and again for the acknowledgement. */
  readonly timeoutMs: number;
  readonly replyBytesMax: number;
  readonly isPersistent: boolean;
  readonly idleMsMax: number;
  readonly ageMsMax: number;
  /** Rewrite every message with these; undefined sends it as it is. */
  readonly delimiters: Delimiters | undefined;
  readonly verifyAckControlId: "lenient" | "strict";
  readonly tls: ConnectionOptions | undefined;
}

/** @throws {ConnectorError} for settings or TLS files that cannot work. */
export function readSourceOptions(options: SourceOptions): MllpSourceOptions {
  const settings = new SettingReader(mllpSchema, "in", options.settings);
  settings.codec("encoding");
  return {
    address: { host: options.bindHost, port: settings.number("port") },
    allowList: new AllowList(options.sourceIpAllowlist),
    connectionsMax: settings.cap("max_connections"),
    receiveTimeoutMs: settings.capMilliseconds("receive_timeout"),
    frameBytesMax: settings.cap("max_frame_bytes"),
    tls: settings.flag("tls") ? serverTls(loadTls(settings)) : undefined,
  };
}

/** @throws {ConnectorError} for settings or TLS files that cannot work, or TLS too weak to allow. */
export function readDestinationOptions(
  { settings: values, verifyAckControlId }: DestinationOptions,
  { allowInsecureTls }: { allowInsecureTls: boolean },
): MllpDestinationOptions {
  const settings = new SettingReader(mllpSchema, "out", values);
  const host = plainHost(settings.text("host"));
  const characters = settings.optionalText("encoding_characters");
  return {
    host,
    port: settings.number("port"),
    codec: settings.codec("encoding"),
    connectTimeoutMs: settings.milliseconds("connect_timeout"),
    timeoutMs: settings.milliseconds("timeout_seconds"),
    replyBytesMax: settings.cap("max_frame_bytes"),
    isPersistent: settings.flag("persistent"),
    idleMsMax: settings.capMilliseconds("idle_timeout_seconds"),
    ageMsMax: settings.capMilliseconds("max_connection_age_seconds"),
    delimiters: characters === undefined ? undefined : parseEncodingCharacters(characters),
    verifyAckControlId: settings.optionalText("verify_ack_control_id") === "strict"
      ? "strict"
      : verifyAckControlId,
    tls: settings.flag("tls") ? clientTls(settings, { host, allowInsecureTls }) : undefined,
  };
}

function loadTls(settings: SettingReader): TlsMaterial {
  return loadTlsFiles({
    certFile: settings.optionalText("tls_cert_file"),
    keyFile: settings.optionalText("tls_key_file"),
    keyPassword: settings.optionalText("tls_key_password"),
    caFile: settings.optionalText("tls_ca_file"),
  });
}

function serverTls({ cert, key, ca }: TlsMaterial): TlsOptions {
  const asksForCertificate = ca !== undefined;
  return {
    cert,
    key,
    ca,
    requestCert: asksForCertificate,
    rejectUnauthorized: asksForCertificate,
    minVersion: "TLSv1.2",
  };
}

function clientTls(
  settings: SettingReader,
  { host, allowInsecureTls }: { host: string; allowInsecureTls: boolean },
): ConnectionOptions {
  const { cert, key, ca } = loadTls(settings);
  const verifies = settings.flag("tls_verify");
  const checksName = settings.flag("tls_check_hostname");
  // Without the name, any certificate of a public authority would do.
  const isWeak = !verifies || (!checksName && ca === undefined);
  if (isWeak && !allowInsecureTls) {
    throw new ConnectorError(
      "connector.tls_insecure",
      `Cannot build connection to "${host}": ${
        verifies
          ? "tls_check_hostname=false without tls_ca_file trusts every public certificate"
          : "tls_verify=false trusts every partner"
      }`,
      { hint: "Set tls_ca_file, or MEFOR_ALLOW_INSECURE_TLS=1 to accept the risk" },
    );
  }
  return {
    cert,
    key,
    ca,
    minVersion: "TLSv1.2",
    rejectUnauthorized: verifies,
    // Server name indication carries names only (RFC 6066 §3).
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(verifies && checksName ? {} : { checkServerIdentity: () => undefined }),
  };
}
