/** Where sample messages go: a topic or a folder. */

export interface OutgoingMessage {
  key: string
  value: Buffer
  timeMs: number
}

export interface Acknowledged {
  partition: number
  /** -1: the sink does not know. */
  offset: number
}

export interface MessageSink {
  /** Messages that it likes to get at once. */
  readonly batchMessages?: number
  /**
   * Sends in order and resolves when all are acknowledged as durable; the answers are in the order of the
   * messages.
   */
  send(messages: OutgoingMessage[]): Promise<Acknowledged[]>
  close(): Promise<void>
}
