/**
 * The order of test files: those that take longest at the front, so that no worker is left with one of them at
 * the end while the other has nothing to do. A clone knows no times of runs before, by which the runner would
 * order them itself.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files of more than 30 s on two quiet cores, the longest first; those with a Spark server of their own apart. */
const LONGEST = [
  'conformance/engines',
  'service/job-walks',
  'integration/batch',
  'integration/kafka-links',
  'conformance/tables',
  'integration/stream',
  'conformance/delta-histories',
  'docs/docs',
  'conformance/spark-connect',
  'conformance/layout',
  'integration/kafka-logins',
  'conformance/spark',
  'conformance/store-faults',
  'integration/kafka-histories',
  'service/table-parts',
  'integration/json-files',
  'integration/values',
  'integration/type-paths',
  'conformance/stores',
  'integration/kafka',
  'service/streams',
  'faults/spark',
  'faults/spark-troubles',
  'faults/upkeep',
  'faults/kills',
  'faults/writers',
  'faults/poison',
  'faults/disk',
  'faults/failpoints',
  'faults/backup',
  'lakehouse/long-log',
  'dataset/growth',
].map((name) => `/test/${name}.test.ts`)

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name))
      return at === -1 ? LONGEST.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}
