/** What a job can read: the names for source_type. Each has a rule that estimates it (learning/rules.ts). */
export const SOURCE_TYPES = ['postgres', 'mysql', 's3', 'files', 'sftp', 'kafka'] as const
export type SourceType = (typeof SOURCE_TYPES)[number]
