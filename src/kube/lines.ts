// Splits a byte stream into lines. A line that outgrows its cap fails the stream: a watch never skips an event.

/** 4 MiB: etcd refuses objects over 1.5 MiB, their JSON can be longer than their stored form. */
const LINE_MAX_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;

export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

export class LineSplitter {
  readonly #maxBytes: number;
  #partial: Buffer[] = [];
  #partialBytes = 0;

  constructor(maxBytes: number = LINE_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The whole lines that this chunk ends, without their newline; empty lines are left out. Throws LineTooLong. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#finish(chunk.subarray(start, end));
      if (line.trim() !== '') lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  /** Bytes of a line whose newline has not come. */
  get pendingBytes(): number {
    return this.#partialBytes;
  }

  #finish(tail: Buffer): string {
    this.#check(tail.length);
    if (this.#partialBytes === 0) return tail.toString('utf8');
    // Decoded in one piece, so that a character cut by a chunk's end comes out whole
    const line = Buffer.concat([...this.#partial, tail]).toString('utf8');
    this.#partial = [];
    this.#partialBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#check(part.length);
    this.#partial.push(part);
    this.#partialBytes += part.length;
  }

  #check(moreBytes: number): void {
    const bytes = this.#partialBytes + moreBytes;
    if (bytes > this.#maxBytes) {
      throw new LineTooLong(`a line is longer than ${this.#maxBytes} bytes`);
    }
  }
}
