/** Tenants, what they bought, their jobs, executions, capacity and everything that is decided about them. */
export const sql = String.raw`
CREATE TABLE tenants (
  tenant_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_name varchar(255) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
  -- overage: stop | debt; lends: whether idle dedicated capacity may be used by others; requests_per_minute
  policy jsonb NOT NULL DEFAULT '{}',
  version integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX tenants_name ON tenants (lower(tenant_name)) WHERE status <> 'deleted';

CREATE TABLE access_tokens (
  token_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- Null for operators, who belong to no tenant.
  tenant_id uuid REFERENCES tenants (tenant_id),
  token_name varchar(255) NOT NULL,
  role varchar(20) NOT NULL CHECK (role IN ('operator', 'owner', 'editor', 'viewer')),
  -- SHA-256 of the token; the token itself is shown once and kept nowhere.
  token_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  CHECK ((role = 'operator') = (tenant_id IS NULL))
);

CREATE TABLE price_lists (
  price_list_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  valid_from timestamptz NOT NULL DEFAULT now(),
  currency char(3) NOT NULL,
  prices jsonb NOT NULL,
  created_by varchar(255) NOT NULL
);

CREATE TABLE resource_purchases (
  purchase_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  resource_type varchar(50) NOT NULL CHECK (resource_type IN ('dedicated_units', 'vcpu_hours')),
  quantity integer NOT NULL CHECK (quantity > 0),
  time_period varchar(20) NOT NULL CHECK (time_period IN ('hourly', 'daily', 'monthly', 'yearly')),
  valid_from timestamptz NOT NULL,
  valid_until timestamptz NOT NULL CHECK (valid_until > valid_from),
  status varchar(50) NOT NULL DEFAULT 'active'
    CHECK (status IN ('scheduled', 'active', 'expired', 'cancelled')),
  created_at timestamptz NOT NULL DEFAULT now(),
  price jsonb NOT NULL DEFAULT '{}',
  version integer NOT NULL DEFAULT 1
);
CREATE INDEX resource_purchases_tenant ON resource_purchases (tenant_id, valid_from, purchase_id);
CREATE INDEX resource_purchases_due ON resource_purchases (status, valid_from, valid_until);

-- One period of one purchase of vCPU-hours. Amounts are microseconds of CPU. Each ledger entry moves an
-- amount between two accounts of a lot; the sums stand here under constraints, and a check compares them
-- with the entries.
CREATE TABLE ledger_lots (
  lot_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  -- Null for what was used without a balance: a debt, which the next grant pays.
  purchase_id uuid REFERENCES resource_purchases (purchase_id),
  valid_from timestamptz NOT NULL,
  valid_until timestamptz NOT NULL,
  granted bigint NOT NULL DEFAULT 0 CHECK (granted >= 0),
  available bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
  held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
  consumed bigint NOT NULL DEFAULT 0 CHECK (consumed >= 0),
  expired bigint NOT NULL DEFAULT 0 CHECK (expired >= 0),
  closed boolean NOT NULL DEFAULT false,
  CHECK (granted = available + held + consumed + expired),
  UNIQUE (purchase_id, valid_from)
  -- Room in each page for the next version of a row: its sums change with every hold, none of its indexes does.
) WITH (fillfactor = 50);
CREATE INDEX ledger_lots_tenant ON ledger_lots (tenant_id, valid_until);
CREATE INDEX ledger_lots_open ON ledger_lots (tenant_id, valid_until) WHERE NOT closed;
CREATE INDEX ledger_lots_due ON ledger_lots (valid_until) WHERE NOT closed;

CREATE TABLE ledger_entries (
  entry_id bigint GENERATED ALWAYS AS IDENTITY,
  tenant_id uuid NOT NULL,
  -- No foreign key: an entry and its lot change in one statement, which counts the lots (state/ledger.ts); a
  -- trigger a row costs as much as the row.
  lot_id uuid NOT NULL,
  act varchar(10) NOT NULL CHECK (act IN ('grant', 'hold', 'settle', 'release', 'expire', 'cancel', 'repay')),
  debit varchar(10) NOT NULL CHECK (debit IN ('granted', 'available', 'held', 'consumed', 'expired')),
  credit varchar(10) NOT NULL CHECK (credit IN ('granted', 'available', 'held', 'consumed', 'expired')),
  amount bigint NOT NULL CHECK (amount > 0),
  execution_id uuid,
  at timestamptz NOT NULL,
  CHECK (debit <> credit),
  PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX ledger_entries_execution ON ledger_entries (execution_id) WHERE execution_id IS NOT NULL;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_entries_append_only
  BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE ingestion_jobs (
  job_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  job_name varchar(255) NOT NULL,
  source_type varchar(50) NOT NULL,
  source_config jsonb NOT NULL,
  destination_config jsonb NOT NULL,
  schedule_cron varchar(100),
  resource_requirements jsonb NOT NULL,
  sla_requirements jsonb NOT NULL,
  status varchar(50) NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'paused', 'deleted')),
  namespace varchar(100) NOT NULL DEFAULT 'draft-ingestion-ns',
  created_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  next_run_at timestamptz,
  failures_in_a_row integer NOT NULL DEFAULT 0,
  -- Where an incremental read goes on: set with the execution that ended well, never before.
  cursor jsonb,
  evaluation jsonb,
  -- Into the zones without a schedule: one execution that goes on until it is stopped.
  continuous boolean NOT NULL GENERATED ALWAYS AS (
    schedule_cron IS NULL
    AND coalesce(destination_config->>'type', '') = 'zones'
  ) STORED
);
CREATE INDEX ingestion_jobs_continuous ON ingestion_jobs (job_id)
  WHERE continuous
    AND status = 'active'
    AND next_run_at IS NULL;
CREATE UNIQUE INDEX ingestion_jobs_name ON ingestion_jobs (tenant_id, lower(job_name))
  WHERE status <> 'deleted';
CREATE INDEX ingestion_jobs_tenant ON ingestion_jobs (tenant_id, created_at, job_id);
CREATE INDEX ingestion_jobs_due ON ingestion_jobs (next_run_at) WHERE next_run_at IS NOT NULL;

CREATE TABLE job_executions (
  execution_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id uuid NOT NULL REFERENCES ingestion_jobs (job_id),
  scheduled_time timestamptz NOT NULL,
  actual_start_time timestamptz,
  actual_end_time timestamptz,
  status varchar(50) NOT NULL DEFAULT 'scheduled' CHECK (
    status IN ('scheduled', 'booked', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out')
  ),
  resource_used jsonb,
  sla_met boolean,
  error_message text,
  namespace varchar(100) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  tenant_id uuid NOT NULL,
  cpu_cores integer NOT NULL CHECK (cpu_cores > 0),
  memory_gb integer NOT NULL CHECK (memory_gb > 0),
  estimated_minutes integer NOT NULL CHECK (estimated_minutes > 0),
  -- Place in the queue of all tenants: start tag of weighted fair queueing (scheduling/fair-share.ts).
  fair_tag double precision NOT NULL,
  deadline timestamptz NOT NULL,
  -- The typed reason why it waits or ended so: { code, params }.
  reason jsonb,
  attempt integer NOT NULL DEFAULT 1,
  -- When a stream's use was last settled; null for one that has not rolled.
  rolled_at timestamptz,
  booked_from timestamptz,
  booked_until timestamptz,
  lender varchar(100),
  -- Whose dedicated units it uses; null in the other namespaces.
  unit_owner uuid,
  -- What it holds in the ledger: [{ lot_id, amount }], amounts as text.
  holds jsonb NOT NULL DEFAULT '[]',
  runner varchar(255),
  generation bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  -- The owner of the units that it uses wants them back.
  recalled boolean NOT NULL DEFAULT false,
  -- Promises of whose miss its tenant was warned while it ran: once each.
  warned text[] NOT NULL DEFAULT '{}',
  progress jsonb,
  receipt jsonb,
  -- One execution per tick of a job: a scheduler that repeats itself finds it there.
  tick timestamptz
  -- No index is on what changes while an execution lives, so that a change stays in its page.
) WITH (fillfactor = 60);
CREATE INDEX job_executions_tenant ON job_executions (tenant_id, created_at DESC, execution_id);
CREATE INDEX job_executions_job ON job_executions (job_id, created_at DESC, execution_id);
CREATE UNIQUE INDEX job_executions_tick ON job_executions (job_id, tick) WHERE tick IS NOT NULL;

-- Executions that wait, with what a decision about them needs. An execution waits when it has a row here, and
-- who changes one that waits holds that row: the long row of the execution needs no lock of its own then.
CREATE TABLE queued_executions (
  execution_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  namespace varchar(100) NOT NULL,
  cpu_cores integer NOT NULL,
  memory_gb integer NOT NULL,
  estimated_minutes integer NOT NULL,
  preferred timestamptz NOT NULL,
  deadline timestamptz NOT NULL,
  fair_tag double precision NOT NULL,
  -- Whether the scheduler looks at it: one that cannot be placed sleeps until then, or until what it lacks is
  -- there.
  ready boolean NOT NULL DEFAULT true,
  try_after timestamptz NOT NULL DEFAULT '-infinity',
  -- When its tenant is warned that the window nears its end.
  warn_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX queued_executions_ready ON queued_executions (fair_tag, execution_id) WHERE ready;
CREATE INDEX queued_executions_asleep ON queued_executions (try_after) WHERE NOT ready;
CREATE INDEX queued_executions_tenant ON queued_executions (tenant_id);
CREATE INDEX queued_executions_warn ON queued_executions (warn_at);

-- Executions that are booked or run, by when they begin.
CREATE TABLE bookings (
  booked_from timestamptz NOT NULL,
  execution_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  PRIMARY KEY (booked_from, execution_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE resource_consumption (
  consumption_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id uuid NOT NULL REFERENCES ingestion_jobs (job_id),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  execution_id uuid NOT NULL,
  cpu_seconds bigint NOT NULL CHECK (cpu_seconds >= 0),
  memory_gb_seconds bigint NOT NULL CHECK (memory_gb_seconds >= 0),
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL CHECK (end_time >= start_time),
  namespace varchar(100) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- The exact amount that the ledger settled.
  cpu_microseconds bigint NOT NULL CHECK (cpu_microseconds >= 0)
);
CREATE INDEX resource_consumption_tenant ON resource_consumption (tenant_id, start_time);
CREATE INDEX resource_consumption_execution ON resource_consumption (execution_id);

CREATE TABLE capacity_slots (
  slot_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  namespace varchar(100) NOT NULL,
  time_slot timestamptz NOT NULL,
  slot_duration_minutes integer NOT NULL CHECK (slot_duration_minutes > 0),
  total_cpu_capacity integer NOT NULL,
  total_memory_capacity integer NOT NULL,
  allocated_cpu integer NOT NULL DEFAULT 0 CHECK (allocated_cpu BETWEEN 0 AND total_cpu_capacity),
  allocated_memory integer NOT NULL DEFAULT 0 CHECK (allocated_memory BETWEEN 0 AND total_memory_capacity),
  created_at timestamptz NOT NULL DEFAULT now(),
  region varchar(50) NOT NULL DEFAULT 'local',
  UNIQUE (namespace, time_slot, slot_duration_minutes)
);

-- What a tenant may use of the dedicated namespace in a slot, and uses.
CREATE TABLE tenant_slots (
  slot_id uuid NOT NULL REFERENCES capacity_slots (slot_id) ON DELETE CASCADE,
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  entitled_cpu integer NOT NULL,
  entitled_memory integer NOT NULL,
  allocated_cpu integer NOT NULL DEFAULT 0 CHECK (allocated_cpu BETWEEN 0 AND entitled_cpu),
  allocated_memory integer NOT NULL DEFAULT 0 CHECK (allocated_memory BETWEEN 0 AND entitled_memory),
  PRIMARY KEY (slot_id, tenant_id)
);

CREATE TABLE tenant_shares (
  tenant_id uuid PRIMARY KEY REFERENCES tenants (tenant_id),
  weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
  last_tag double precision NOT NULL DEFAULT 0
);

CREATE TABLE idempotency_keys (
  tenant_id uuid NOT NULL,
  idempotency_key varchar(255) NOT NULL,
  request_hash bytea NOT NULL,
  status integer NOT NULL,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, idempotency_key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What happened, for streams of events, webhooks and the audit: who did what to what.
CREATE TABLE events (
  event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid,
  at timestamptz NOT NULL DEFAULT now(),
  actor varchar(255) NOT NULL,
  event varchar(60) NOT NULL,
  subject uuid,
  data jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX events_tenant ON events (tenant_id, event_id);
CREATE TRIGGER events_append_only
  BEFORE UPDATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE webhooks (
  webhook_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
  url text NOT NULL,
  events text[] NOT NULL,
  secret_name varchar(255),
  created_at timestamptz NOT NULL DEFAULT now(),
  next_event_id bigint NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  try_after timestamptz NOT NULL DEFAULT '-infinity',
  last_error text
);

CREATE TABLE leases (
  lease_name varchar(100) PRIMARY KEY,
  holder varchar(255) NOT NULL,
  generation bigint NOT NULL,
  lease_until timestamptz NOT NULL
);

CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  capacity jsonb NOT NULL DEFAULT '{}',
  -- Tag of the execution that was served last (scheduling/fair-share.ts).
  virtual_time double precision NOT NULL DEFAULT 0,
  self_benchmark jsonb
);
INSERT INTO installation DEFAULT VALUES;
`
