/**
 * What a person may do to the engine, or do to see patient data: one act a file.
 *
 * Upstream: `api/` and `cli/` say who asks and check the shape of the input. Downstream: the
 * engine's store and pipeline.
 * Not here: reads without patient data (routes of `api/`), and how an act is asked for.
 */
export { acknowledgeAlert } from "./acknowledge_alert.ts";
export { type AlertInstance, liveAlerts } from "./alert.ts";
export {
  type ApprovableOperation,
  type ApprovalParams,
  type HeldAct,
  type Requested,
} from "./approval.ts";
export { checkIntegrity } from "./check_integrity.ts";
export {
  type Connection,
  findConnection,
  findOutbound,
  type Inbound,
  type Outbound,
} from "./connection.ts";
export { findInScope, isInScope, requireInScope, scopeOf } from "./channel_scope.ts";
export { type Console, consoleOf } from "./console.ts";
export { createRole } from "./create_role.ts";
export { createUser } from "./create_user.ts";
export {
  approve,
  type Decision,
  listApprovals,
  type PendingApproval,
  reject,
} from "./decide_approval.ts";
export { deleteRole } from "./delete_role.ts";
export { deleteUser } from "./delete_user.ts";
export { endUserSessions } from "./end_user_sessions.ts";
export { authOf, type HasAccounts } from "./identity.ts";
export { listDeadLetters } from "./list_dead_letters.ts";
export { listMessages } from "./list_messages.ts";
export {
  type Act,
  type Actor,
  type Approval,
  atConsole,
  isPermitted,
  localOperator,
  nobody,
  type Operation,
  OperationError,
  type Permission,
  requirePermission,
  systemIdentity,
  withinScope,
} from "./operation.ts";
export { isDrained, purgeConnection } from "./purge_connection.ts";
export { type Reload, reloadConfig, type Reloaded } from "./reload_config.ts";
export { replayDeadLetters } from "./replay_dead_letters.ts";
export { replayMessage } from "./replay_message.ts";
export { resetUserFactor } from "./reset_user_factor.ts";
export { resetUserPassword } from "./reset_user_password.ts";
export { setChannelScope } from "./set_channel_scope.ts";
export { setGroupRoles } from "./set_group_roles.ts";
export { setGroupScopes } from "./set_group_scopes.ts";
export { setUserRoles } from "./set_user_roles.ts";
export { updateRole } from "./update_role.ts";
export { updateUser } from "./update_user.ts";
export { resetStatistics, type StatisticsTarget } from "./reset_statistics.ts";
export { resolveAlert } from "./resolve_alert.ts";
export { restartConnection } from "./restart_connection.ts";
export { type Control, type Controlled, startConnection } from "./start_connection.ts";
export { type Summarized } from "./summaries.ts";
export { type MessageSearch, type SearchedMessages, searchMessages } from "./search_messages.ts";
export { stopConnection } from "./stop_connection.ts";
export { type ConnectionTest, testConnection } from "./test_connection.ts";
export { unlockUser } from "./unlock_user.ts";
export { viewMessage } from "./view_message.ts";
export { type SecurityPosture, viewPosture } from "./view_posture.ts";
export { viewOutbound } from "./view_outbound.ts";
export { viewResponses } from "./view_responses.ts";
