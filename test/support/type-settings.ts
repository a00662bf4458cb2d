/** How a column of a type is declared, for texts that are drawn for it. */
import type { ScalarType } from '../../src/dataset/declaration.ts'
import type { RawColumn } from '../../src/dataset/normalize.ts'

/** Settings of a column beside its name. */
export type TypeSettings = Pick<RawColumn, 'precision' | 'scale' | 'format' | 'timezone' | 'trim'> & {
  type: ScalarType
}
