/**
 * The part of @platformatic/kafka that readers need: connections and the wire format. Its index also loads
 * consumers, schema registries and a compiled JSON Schema per option, half of a child's start time. The
 * package exports nothing else, so we import its files by path. The version is pinned; the tests of the
 * connector prove that the files fit.
 */
type Library = typeof import('@platformatic/kafka')
export type { Connection, ConnectionOptions, Reader as WireReader } from '@platformatic/kafka'

const load = (file: string): Promise<Library> =>
  import(new URL(file, import.meta.resolve('@platformatic/kafka')).href) as Promise<Library>

export const { Connection: KafkaConnection } = await load('./network/connection.js')
export const { AuthenticationError, ResponseError } = await load('./errors.js')
export const { createAPI } = await load('./apis/definitions.js')
export const { Writer } = await load('./protocol/writer.js')
export const { protocolErrorsCodesById } = await load('./protocol/errors.js')
export const metadataV12: Library['metadataV12'] = (await load(
  './apis/metadata/metadata-v12.js',
)) as unknown as Library['metadataV12']
export const listOffsetsV7: Library['listOffsetsV7'] = (await load(
  './apis/consumer/list-offsets-v7.js',
)) as unknown as Library['listOffsetsV7']
