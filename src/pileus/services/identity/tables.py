"""The tables of identity. A domain is a project that holds others (`is_domain`), with the same id in both roles."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, true

from pileus.core.db import Id, Json, Time, metadata

revision = Table(
    "identity_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mark", Id, nullable=False),
)
token_keys = Table(
    "identity_token_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("created_at", Time, nullable=False),
)
seal_keys = Table(
    "identity_seal_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("created_at", Time, nullable=False),
)
revoked_tokens = Table(
    "identity_revoked_token",
    metadata,
    Column("audit_id", Id, primary_key=True),
    Column("revoked_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False, index=True),
)

projects = Table(
    "identity_project",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("domain_id", Id, ForeignKey("identity_project.id"), index=True),
    Column("parent_id", Id, ForeignKey("identity_project.id"), index=True),
    Column("is_domain", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text, nullable=False),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
)
Index(
    "uq_identity_domain_name",
    projects.c.name,
    unique=True,
    sqlite_where=projects.c.is_domain == true(),
    postgresql_where=projects.c.is_domain == true(),
)
project_tags = Table(
    "identity_project_tag",
    metadata,
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(255), primary_key=True),
)
users = Table(
    "identity_user",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", Id, ForeignKey("identity_project.id"), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("default_project_id", Id),
    Column("password_hash", Text),
    Column("password_expires_at", Time),
    Column("tokens_valid_after", Time),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    Column("password_chosen_at", Time),  # null: somebody else set it
    Column("last_active_at", Time),
    UniqueConstraint("domain_id", "name"),
)
old_passwords = Table(
    "identity_old_password",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("password_hash", Text, nullable=False),
)
failed_logins = Table(
    "identity_failed_login",
    metadata,
    Column("user_id", Id, primary_key=True),  # "" stands for everybody who is not there
    Column("failures", Integer, nullable=False),
    Column("last_at", Time, nullable=False),
)
groups = Table(
    "identity_group",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("domain_id", Id, ForeignKey("identity_project.id"), nullable=False),
    Column("description", Text, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
)
memberships = Table(
    "identity_membership",
    metadata,
    Column("group_id", Id, ForeignKey("identity_group.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), primary_key=True, index=True),
)
domain_options = Table(
    "identity_domain_option",
    metadata,
    Column("domain_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), primary_key=True),
    Column("group", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Json),
)
domain_secrets = Table(
    "identity_domain_secret",
    metadata,
    Column("id", Id, primary_key=True),
    Column("domain_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("group", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("secret", Text, nullable=False),
    UniqueConstraint("domain_id", "group", "name"),
)
directory_entries = Table(
    "identity_directory_entry",
    metadata,
    Column("id", Id, primary_key=True),  # of the user or group
    Column("kind", String(8), nullable=False),
    Column("domain_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("local_id", String(255), nullable=False),
    Column("handle", Text, nullable=False),
    Column("gone", Boolean, nullable=False, index=True),
    Index("ix_identity_directory_entry_domain", "domain_id", "kind"),
)
roles = Table(
    "identity_role",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", Id, ForeignKey("identity_project.id")),
    Column("description", Text),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
)
Index(
    "uq_identity_global_role_name",
    roles.c.name,
    unique=True,
    sqlite_where=roles.c.domain_id.is_(None),
    postgresql_where=roles.c.domain_id.is_(None),
)
implied_roles = Table(
    "identity_implied_role",
    metadata,
    Column("prior_role_id", Id, ForeignKey("identity_role.id", ondelete="CASCADE"), primary_key=True),
    Column("implied_role_id", Id, ForeignKey("identity_role.id", ondelete="CASCADE"), primary_key=True),
)
assignments = Table(
    "identity_assignment",
    metadata,
    Column("actor_type", String(8), primary_key=True),  # user | group
    Column("actor_id", Id, primary_key=True),
    Column("target_type", String(8), primary_key=True),  # project | domain | system
    Column("target_id", Id, primary_key=True),
    Column("role_id", Id, ForeignKey("identity_role.id", ondelete="CASCADE"), primary_key=True),
    Column("inherited", Boolean, primary_key=True),
    Index("ix_identity_assignment_target", "target_type", "target_id"),
)

regions = Table(
    "identity_region",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False),
    Column("parent_region_id", String(255), ForeignKey("identity_region.id")),
    Column("extra", Json, nullable=False),
)
services = Table(
    "identity_service",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", String(255)),
    Column("description", Text),
    Column("enabled", Boolean, nullable=False),
    Column("extra", Json, nullable=False),
)
endpoints = Table(
    "identity_endpoint",
    metadata,
    Column("id", Id, primary_key=True),
    Column("interface", String(8), nullable=False),
    Column("region_id", String(255), ForeignKey("identity_region.id")),
    Column("service_id", Id, ForeignKey("identity_service.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("extra", Json, nullable=False),
)

credentials = Table(
    "identity_credential",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", Id),
    Column("type", String(255), nullable=False),
    Column("blob", Text, nullable=False),
    Column("extra", Json, nullable=False),
    Column("access_hash", Id),  # of EC2 credentials: SHA-256 of the access key
    Index("uq_identity_credential_access_hash", "access_hash", unique=True),
)
used_codes = Table(
    "identity_used_code",
    metadata,
    Column("credential_id", Id, ForeignKey("identity_credential.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, nullable=False),
)
application_credentials = Table(
    "identity_application_credential",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("secret_hash", Text, nullable=False),
    Column("expires_at", Time),
    Column("unrestricted", Boolean, nullable=False),
    Column("role_ids", Json, nullable=False),
    Column("access_rule_ids", Json),
    UniqueConstraint("user_id", "name"),
)
access_rules = Table(
    "identity_access_rule",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False),
    Column("service", String(64), nullable=False),
    Column("path", String(225), nullable=False),
    Column("method", String(16), nullable=False),
    UniqueConstraint("user_id", "service", "path", "method"),
)
trusts = Table(
    "identity_trust",
    metadata,
    Column("id", Id, primary_key=True),
    Column("trustor_user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("trustee_user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE")),
    Column("impersonation", Boolean, nullable=False),
    Column("expires_at", Time),
    Column("remaining_uses", Integer),
    Column("redelegated_trust_id", Id, ForeignKey("identity_trust.id", ondelete="CASCADE")),
    Column("redelegation_count", Integer, nullable=False),
    Column("role_ids", Json, nullable=False),
    Column("extra", Json, nullable=False),
)

identity_providers = Table(
    "identity_provider",
    metadata,
    Column("id", Id, primary_key=True),
    Column("domain_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    Column("authorization_ttl", Integer),
)
remote_ids = Table(
    "identity_remote_id",
    metadata,
    Column("remote_id", String(255), primary_key=True),
    Column("identity_provider_id", Id, ForeignKey("identity_provider.id", ondelete="CASCADE"), nullable=False),
)
mappings = Table(
    "identity_mapping",
    metadata,
    Column("id", Id, primary_key=True),
    Column("rules", Json, nullable=False),
    Column("schema_version", String(8), nullable=False),
)
protocols = Table(
    "identity_protocol",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity_provider_id", Id, ForeignKey("identity_provider.id", ondelete="CASCADE"), nullable=False),
    Column("name", Id, nullable=False),
    Column("mapping_id", Id, ForeignKey("identity_mapping.id"), nullable=False),
    Column("remote_id_attribute", String(64)),
    Column("sign_on", Json),
    Column("secret", Text),
    UniqueConstraint("identity_provider_id", "name"),
)
federated_users = Table(
    "identity_federated_user",
    metadata,
    Column("protocol_id", Id, ForeignKey("identity_protocol.id", ondelete="CASCADE"), primary_key=True),
    Column("unique_id", String(255), primary_key=True),
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
)
expiring_memberships = Table(
    "identity_expiring_membership",
    metadata,
    Column("user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Id, ForeignKey("identity_group.id", ondelete="CASCADE"), primary_key=True),
    Column("identity_provider_id", Id, ForeignKey("identity_provider.id", ondelete="CASCADE"), primary_key=True),
    Column("verified_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False, index=True),
)
used_assertions = Table(
    "identity_used_assertion",
    metadata,
    Column("id", Id, primary_key=True),
    Column("expires_at", Time, nullable=False, index=True),
)
signing_keys = Table(
    "identity_signing_key",
    metadata,
    Column("id", Id, primary_key=True),
    Column("private_key", Text, nullable=False),
    Column("certificate", Text, nullable=False),
)
service_providers = Table(
    "identity_service_provider",
    metadata,
    Column("id", Id, primary_key=True),
    Column("auth_url", Text, nullable=False),
    Column("sp_url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    Column("relay_state_prefix", String(255), nullable=False),
)
oauth1_consumers = Table(
    "identity_oauth1_consumer",
    metadata,
    Column("id", Id, primary_key=True),
    Column("description", Text),
    Column("secret", Text, nullable=False),
    Column("extra", Json, nullable=False),
)
oauth1_request_tokens = Table(
    "identity_oauth1_request_token",
    metadata,
    Column("id", Id, primary_key=True),
    Column("consumer_id", Id, ForeignKey("identity_oauth1_consumer.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("secret", Text, nullable=False),
    Column("expires_at", Time, nullable=False, index=True),
    Column("authorizing_user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE")),
    Column("verifier", String(64)),
    Column("role_ids", Json),
)
oauth1_access_tokens = Table(
    "identity_oauth1_access_token",
    metadata,
    Column("id", Id, primary_key=True),
    Column("consumer_id", Id, ForeignKey("identity_oauth1_consumer.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), nullable=False),
    Column("secret", Text, nullable=False),
    Column("expires_at", Time, nullable=False, index=True),
    Column("authorizing_user_id", Id, ForeignKey("identity_user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role_ids", Json, nullable=False),
)
oauth1_nonces = Table(
    "identity_oauth1_nonce",
    metadata,
    Column("digest", Id, primary_key=True),
    Column("used_at", Time, nullable=False, index=True),
)

policies = Table(
    "identity_policy",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", String(255), nullable=False),
    Column("blob", Text, nullable=False),
    Column("extra", Json, nullable=False),
)
policy_associations = Table(
    "identity_policy_association",
    metadata,
    Column("id", Id, primary_key=True),
    Column("policy_id", Id, ForeignKey("identity_policy.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint_id", Id, ForeignKey("identity_endpoint.id", ondelete="CASCADE")),
    Column("service_id", Id, ForeignKey("identity_service.id", ondelete="CASCADE")),
    Column("region_id", String(255), ForeignKey("identity_region.id", ondelete="CASCADE")),
)
endpoint_groups = Table(
    "identity_endpoint_group",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("filters", Json, nullable=False),
)
endpoint_group_projects = Table(
    "identity_endpoint_group_project",
    metadata,
    Column("endpoint_group_id", Id, ForeignKey("identity_endpoint_group.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), primary_key=True),
)
endpoint_projects = Table(
    "identity_endpoint_project",
    metadata,
    Column("endpoint_id", Id, ForeignKey("identity_endpoint.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE"), primary_key=True),
)
registered_limits = Table(
    "identity_registered_limit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("service_id", Id, ForeignKey("identity_service.id"), nullable=False),
    Column("region_id", String(255), ForeignKey("identity_region.id")),
    Column("resource_name", String(255), nullable=False),
    Column("default_limit", Integer, nullable=False),
    Column("description", Text),
)
limits = Table(
    "identity_limit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE")),
    Column("domain_id", Id, ForeignKey("identity_project.id", ondelete="CASCADE")),
    Column("service_id", Id, ForeignKey("identity_service.id"), nullable=False),
    Column("region_id", String(255), ForeignKey("identity_region.id")),
    Column("resource_name", String(255), nullable=False),
    Column("resource_limit", Integer, nullable=False),
    Column("description", Text),
)
