/** Where sample messages go: a topic or a folder. */

export interface OutgoingMessage {
  key: string
  value: Buffer
  timeMs: number
}

export interface Acknowledged {
  partition: number
  /** -1 if the sink does not know it. */
  offset: number
}

export interface MessageSink {
  /** Number of messages that the sink prefers to get at once. */
  readonly batchMessages?: number
  /**
   * Sends in order, and resolves when all messages are acknowledged as durable. The acknowledgments are in
   * the order of the messages.
   */
  send(messages: OutgoingMessage[]): Promise<Acknowledged[]>
  close(): Promise<void>
}
