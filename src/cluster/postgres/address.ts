/** Where the database stands and how to sign in to it. */

export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | undefined;
  /** Never shown. */
  readonly password: string | undefined;
  /** Undefined: in the clear. */
  readonly tls:
    | { readonly rejectUnauthorized: boolean; readonly ca: string | undefined }
    | undefined;
  /** Undefined: what the database user's search path says. */
  readonly schema: string | undefined;
  /** What the server shows beside our connections. */
  readonly applicationName: string;
}
