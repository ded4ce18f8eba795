import type { SectionSpec } from "./declaration.ts";

export const api = {
  name: "api",
  help: "The HTTP API and the console.",
  keys: {
    host: {
      type: "string",
      default: "127.0.0.1",
      inEffect: true,
      flag: "--host",
      help: "Interface to bind; another than loopback needs TLS.",
    },
    port: {
      type: "integer",
      default: 8765,
      min: 0,
      max: 65535,
      inEffect: true,
      flag: "--port",
      help: "Port to bind; 0 takes any free one.",
    },
    expose_docs: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Serve /docs, /redoc and /openapi.json.",
    },
    config_reload_roots: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Directories a reload may load from, besides the one the engine started with.",
    },
    tls_cert_file: {
      type: "string",
      inEffect: true,
      help: "Server certificate with its chain, PEM; turns TLS on.",
    },
    tls_key_file: {
      type: "string",
      inEffect: true,
      help: "Private key, PEM; omit when it stands in the certificate file.",
    },
    tls_key_password: {
      type: "string",
      secret: true,
      inEffect: true,
      help: "Passphrase of the private key.",
    },
    tls_min_version: {
      type: "enum",
      values: ["1.2", "1.3"],
      default: "1.2",
      inEffect: true,
      help: "Lowest TLS version accepted.",
    },
    tls_ciphers: {
      type: "string",
      inEffect: true,
      help: "OpenSSL cipher string; must permit every suite the runtime negotiates.",
    },
    tls_client_ca_file: {
      type: "string",
      inEffect: true,
      help: "CA bundle; set, clients must present a certificate it signed.",
    },
    trusted_proxies: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Addresses of reverse proxies whose forwarding headers are believed.",
    },
    tls_terminated_upstream: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "A proxy in front terminates TLS; needs trusted_proxies.",
    },
    serve_ui: {
      type: "boolean",
      default: false,
      inEffect: false,
      help: "Serve the browser console under /ui.",
    },
    public_origin: {
      type: "string",
      inEffect: true,
      help: "Origin that browsers use, such as https://engine.example.org.",
    },
    ws_allowed_origins: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Further origins that may open /ws/stats.",
    },
  },
} as const satisfies SectionSpec;
