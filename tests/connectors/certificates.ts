/** A certificate authority for tests and what it signs, made by openssl in a temporary directory. */
import { runTool } from "./foreign_tool.ts";

/** Paths of one identity. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** What the files of an identity say. */
export async function textsOf({ cert, key }: Identity): Promise<{ cert: string; key: string }> {
  return { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
}

export class Authority {
  readonly directory: string;
  readonly name: string;

  private constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
  }

  /** `hasKeyId` false: nothing but its signature tells it from another of its name. */
  static async create(
    directory: string,
    name = "ca",
    { hasKeyId = true } = {},
  ): Promise<Authority> {
    const authority = new Authority(directory, name);
    // deno-fmt-ignore
    await authority.#openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`, "-days", "2",
      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign",
      ...(hasKeyId ? [] : ["-addext", "subjectKeyIdentifier=none"]),
    );
    return authority;
  }

  get file(): string {
    return `${this.directory}/${this.name}.pem`;
  }

  /**
   * Signs a leaf for `altNames` (`DNS:localhost,IP:127.0.0.1`); version 3, as TLS wants it. With
   * fewer than no days it is over when it is made.
   */
  async issue(
    name: string,
    altNames = "DNS:localhost,IP:127.0.0.1",
    days = 2,
  ): Promise<Identity> {
    const stem = `${this.name}-${name}`;
    await Deno.writeTextFile(`${this.directory}/${stem}.ext`, `subjectAltName=${altNames}\n`);
    // deno-fmt-ignore
    await this.#openssl(
      "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-keyout", `${stem}.key`, "-out", `${stem}.csr`, "-subj", `/CN=${name}`,
    );
    // deno-fmt-ignore
    await this.#openssl(
      "x509", "-req", "-in", `${stem}.csr`, "-CA", `${this.name}.pem`, "-CAkey",
      `${this.name}.key`, "-CAcreateserial", "-out", `${stem}.pem`, "-days", `${days}`,
      "-extfile", `${stem}.ext`,
    );
    return { cert: `${this.directory}/${stem}.pem`, key: `${this.directory}/${stem}.key` };
  }

  /** Writes a copy of the key that needs `password`. */
  async encryptKey(identity: Identity, password: string): Promise<string> {
    const encrypted = identity.key.replace(/\.key$/, ".enc.key");
    // deno-fmt-ignore
    await this.#openssl(
      "pkcs8", "-topk8", "-in", identity.key, "-out", encrypted, "-v2", "aes256",
      "-passout", `pass:${password}`,
    );
    return encrypted;
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    await runTool("openssl", args, { cwd: this.directory });
  }
}
