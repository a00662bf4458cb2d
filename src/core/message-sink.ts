/** Where sample messages go: a topic or a folder. */

export interface OutgoingMessage {
  key: string
  value: Buffer
  timeMs: number
}

export interface Acknowledged {
  partition: number
  offset: number
}

export interface MessageSink {
  /** Sends in order and resolves when all are acknowledged as durable; the answers are in the order of the messages. */
  send(messages: OutgoingMessage[]): Promise<Acknowledged[]>
  close(): Promise<void>
}
