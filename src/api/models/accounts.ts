/** Answers about sign-in and accounts. Source: spec api §1.8. */
import { z } from "zod";
import { count, flag, model, seconds, text } from "./model.ts";

const provider = z.enum(["local", "ad"]);

export const providers = model("ProvidersInfo", { local: flag, ad: flag, kerberos: flag });

export const currentUser = model("CurrentUser", {
  user_id: text,
  username: text,
  auth_provider: provider,
  roles: z.array(text),
  permissions: z.array(text),
});

export const login = model("LoginResponse", {
  token: text,
  token_type: z.literal("bearer"),
  must_change_password: flag,
  mfa_required: flag,
  user: currentUser,
});

export const mfaStatus = model("MfaStatus", {
  enabled: flag,
  enrolled_at: seconds.nullable(),
  recovery_codes_remaining: count,
  required: flag,
  webauthn_enrolled: flag,
});

export const mfaEnroll = model("MfaEnroll", { secret: text, otpauth_uri: text });
export const mfaConfirm = model("MfaConfirm", { recovery_codes: z.array(text) });

export const sessions = model("SessionList", {
  sessions: z.array(model("SessionInfo", {
    id: text,
    created_at: seconds,
    last_used_at: seconds,
    expires_at: seconds,
    client: text.nullable(),
    current: flag,
  })),
});

export const securityEvents = model("SecurityEventsList", {
  events: z.array(
    model("SecurityEvent", { ts: seconds, action: text, detail: text.nullable() }),
  ),
});

const roleShape = {
  id: text,
  display_name: text,
  description: text.nullable(),
  permissions: z.array(text),
};

export const roles = z.array(model("RoleInfo", { ...roleShape, builtin: flag }));
export const customRole = model("CustomRoleInfo", roleShape);
export const customRoles = z.array(customRole);

export const user = model("UserSummary", {
  id: text,
  username: text,
  auth_provider: provider,
  display_name: text.nullable(),
  email: text.nullable(),
  disabled: flag,
  roles: z.array(text),
  channel_scope: z.array(text).nullable(),
});

export const users = z.array(user);

export const passwordReset = model("PasswordReset", {
  temp_password: text,
  must_change_password: flag,
});

export const channelScope = model("ChannelScope", { channels: z.array(text).nullable() });

export const groupMap = model("AdGroupMap", {
  entries: z.array(model("AdGroupEntry", { ad_group: text, role: text })),
});

export const groupScopeMap = model("AdGroupScopeMap", {
  entries: z.array(model("AdGroupScopeEntry", { ad_group: text, channel: text })),
});

export const auditList = model("AuditList", {
  entries: z.array(model("AuditEntry", {
    ts: seconds,
    actor: text,
    action: text,
    channel_id: text.nullable(),
    detail: text.nullable(),
  })),
});
