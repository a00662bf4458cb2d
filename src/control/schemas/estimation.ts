/** Estimates: what a job will need, who says so, and how right that was before. */
import { Type, type Static } from 'typebox'
import { Free, Id, Time, nullable } from './fields.ts'

const AnsweredBy = Type.Union([Type.Literal('model'), Type.Literal('rule')])

/** The fields are those of its code. */
const RuleReason = Type.Object(
  {
    code: Type.Union([
      Type.Literal('too_few_runs'),
      Type.Literal('volume_not_seen'),
      Type.Literal('tables_not_seen'),
      Type.Literal('complexity_not_seen'),
      Type.Literal('rule_was_closer'),
    ]),
    runs: Type.Optional(Type.Integer()),
    needed: Type.Optional(Type.Integer()),
    seen_from_gb: Type.Optional(Type.Number()),
    seen_to_gb: Type.Optional(Type.Number()),
    gap_from_gb: Type.Optional(Type.Number()),
    gap_to_gb: Type.Optional(Type.Number()),
    seen_from_tables: Type.Optional(Type.Integer()),
    seen_to_tables: Type.Optional(Type.Integer()),
    seen_complexity: Type.Optional(Type.Array(Type.String())),
    model_factor_error: Type.Optional(Type.Number()),
    rule_factor_error: Type.Optional(Type.Number()),
    judged_runs: Type.Optional(Type.Integer()),
  },
  { description: 'Why the rule answers and not the model, with the numbers.' },
)

/** Of runs that the trees which predicted them had not seen. */
const Score = Type.Object({
  runs: Type.Integer({ description: 'Runs that were predicted by trees that had not seen them.' }),
  median_factor_error: Type.Number({
    description:
      'Half of the predictions were off by this factor at most. 1.25: a quarter too high, or a fifth too low.',
  }),
  rule_median_factor_error: Type.Number({ description: 'The same of the rule, on the same runs.' }),
  interval_coverage_percent: Type.Number({ description: 'Runs that fell into their 80 % interval.' }),
  within_20_percent: Type.Number({ description: 'Runs that were predicted within a fifth, in percent.' }),
})

export const EstimationRequest = Type.Object(
  {
    source_type: Type.String({ minLength: 1, maxLength: 50 }),
    source_config: Type.Optional(Free),
    data_volume_gb: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10_000_000 })),
    transformation_complexity: Type.Optional(
      Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')]),
    ),
  },
  { additionalProperties: false },
)
export type EstimationRequest = Static<typeof EstimationRequest>

export const Estimation = Type.Object({
  estimated_resources: Type.Object({
    cpu_cores: Type.Number(),
    memory_gb: Type.Number(),
    runtime_minutes: Type.Number(),
  }),
  recommended_units: Type.Object({ dedicated_units: Type.Number(), vcpu_hours: Type.Number() }),
  confidence_level: Type.Number(),
  explanation: Type.Object({
    by: AnsweredBy,
    reason: Type.Optional(RuleReason),
    held_by_model: Type.Optional(
      Type.Boolean({
        description:
          "True if the rule's answer was replaced by the model's for the nearest smaller or greater job that the model knows: an answer never falls as a job grows.",
      }),
    ),
    rule_correction: Type.Optional(
      Type.Object(
        {
          factor: Type.Number({ description: "Times the rule's minutes." }),
          other_tenants: Type.Integer({ description: 'Other tenants with runs of about this volume.' }),
        },
        {
          description:
            "What runs of other tenants change in the rule. No tenant moves another tenant's answer by more than 10 %.",
        },
      ),
    ),
    expected_runtime_minutes: Type.Number({
      description: 'Expected minutes, before rounding up and before the floor of 5 minutes.',
    }),
    data_volume_gb: Type.Number(),
    bare_dedicated_units: Type.Number({
      description: 'Units that are just enough, without the spare fifth.',
    }),
    machine_speed: nullable(Type.Number({ description: '2: twice as quick as the reference machine.' })),
    similar_runs: Type.Optional(
      Type.Integer({ description: 'Runs of the same source that the model knows.' }),
    ),
    similar_minutes_per_gb: Type.Optional(nullable(Type.Number())),
    connection_ms: Type.Optional(
      Type.Integer({ description: 'Median time to the first byte of those runs.' }),
    ),
    runtime_minutes_80_percent: Type.Optional(
      Type.Object(
        { low: Type.Number(), high: Type.Number() },
        {
          description:
            'Range that 80 % of such runs fall into. The floor of 5 minutes is of what is booked, so the range can lie below it.',
        },
      ),
    ),
    track_record: Type.Optional(
      Type.Object(
        { ...Score.properties, since: Time('End of the oldest run that the model learned from.') },
        {
          description:
            'How right the model was about unseen runs of about this volume. Absent with fewer than 50 runs.',
        },
      ),
    ),
  }),
})
export type Estimation = Static<typeof Estimation>

export const TrackRecordQuery = Type.Object({
  source_type: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 50,
      description: 'Only this source type. Without it, every type that has runs.',
    }),
  ),
})

const AggregateRecord = {
  learned_runs: Type.Integer({ description: 'Runs that the model learned from.' }),
  since: Time('End of the oldest of them.'),
  until: Time('End of the newest of them.'),
  predictions: Score,
  by_volume: Type.Array(
    Type.Object({
      from_gb: Type.Number(),
      to_gb: Type.Number(),
      ...Score.properties,
      answered_by: AnsweredBy,
    }),
    { description: 'The same for each decade of volumes, and who answers there.' },
  ),
  booked: Type.Object(
    {
      runs: Type.Integer(),
      median_of_booked_percent: Type.Number({
        description: 'Minutes of the middle run, of what was booked for it.',
      }),
      within_booked_percent: Type.Number({ description: 'Runs that took no longer than was booked.' }),
    },
    { description: 'The minutes that were booked before each run, against those that it took.' },
  ),
}

const JudgedRun = Type.Object({
  execution_id: Id('ID of the execution.'),
  ended_at: Time('When it ended.'),
  data_volume_gb: Type.Number(),
  predicted_minutes: Type.Number(),
  interval_low: Type.Number(),
  interval_high: Type.Number(),
  rule_minutes: Type.Number(),
  booked_minutes: Type.Number(),
  actual_minutes: Type.Number(),
})

export const TrackRecord = Type.Object({
  source_type: Type.String(),
  runs: Type.Integer({
    description: 'Runs of the tenant (for an operator: of all) that can be learned from.',
  }),
  needed_runs: Type.Integer({ description: 'Runs that a model needs.' }),
  own: nullable(
    Type.Object(
      {
        ...AggregateRecord,
        newest: Type.Array(JudgedRun, {
          description: 'The newest runs, as predicted unseen, and as they were.',
        }),
      },
      { description: "The model of the tenant's own runs. Null with too few runs, and for operators." },
    ),
  ),
  installation: nullable(
    Type.Object(
      { tenants: Type.Integer(), ...AggregateRecord },
      {
        description:
          'A model of the runs of all tenants, an equal number of each. Null with too few runs; for a tenant, also with fewer than three tenants.',
      },
    ),
  ),
})
export type TrackRecord = Static<typeof TrackRecord>

export const TrackRecords = Type.Object({ items: Type.Array(TrackRecord) })
