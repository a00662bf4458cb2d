/** Classes of poison and the formats they come in. */

export type Format = 'xml' | 'json' | 'ndjson' | 'csv'

/**
 * broken: the message or its record is quarantined. type: the record is, or with discard_value its value.
 * unknown: a field that is not declared. fine: odd, and right. nothing: no record at all.
 */
export type Class = 'broken' | 'type' | 'unknown' | 'fine' | 'nothing'
