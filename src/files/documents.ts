// Cuts a stream of YAML into its documents, so that a file of 50 MB is never held as one text or one syntax tree.
// Pure. Exact by YAML 1.2.2 rule c-forbidden: `---` or `...` at the start of a line ends a document, even inside
// a quoted or a block scalar.

export interface DocumentText {
  readonly text: string;
  /** Line of the text's first character in its file, from 1. */
  readonly line: number;
}

const MARKER = /^(?:---|\.\.\.)(?=\s|$)/;
const NOTHING_BUT_PREAMBLE = /^(?:%.*|#.*|\s*)$/;

/** Fed chunk by chunk; answers each document once its end is seen. */
export class DocumentSplitter {
  #lines: string[] = [];
  #firstLine = 1;
  #nextLine = 1;
  /** Pieces of a line whose end has not come yet. */
  #partial: string[] = [];

  push(chunk: string): DocumentText[] {
    const documents: DocumentText[] = [];
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      this.#partial.push(chunk.slice(start, end));
      this.#endLine(documents);
      start = end + 1;
    }
    if (start < chunk.length) this.#partial.push(chunk.slice(start));
    return documents;
  }

  /** The rest, after the last chunk. */
  end(): DocumentText[] {
    const documents: DocumentText[] = [];
    if (this.#partial.length > 0) this.#endLine(documents);
    this.#cut(documents);
    return documents;
  }

  #endLine(documents: DocumentText[]): void {
    const line = this.#partial.length === 1 ? (this.#partial[0] ?? '') : this.#partial.join('');
    this.#partial = [];
    if (MARKER.test(line)) {
      // directives (%YAML) stand before the marker of the document that they belong to
      const isPreamble = line.startsWith('---') && this.#lines.some((each) => each.startsWith('%'));
      if (!isPreamble || !this.#lines.every((each) => NOTHING_BUT_PREAMBLE.test(each))) {
        this.#cut(documents);
      }
    }
    if (!/^\.\.\.\s*$/.test(line)) {
      if (this.#lines.length === 0) this.#firstLine = this.#nextLine;
      this.#lines.push(line);
    }
    this.#nextLine++;
  }

  #cut(documents: DocumentText[]): void {
    const isEmpty = this.#lines.every((line) => /^(?:---)?\s*(?:#.*)?$/.test(line));
    if (!isEmpty) documents.push({ text: this.#lines.join('\n') + '\n', line: this.#firstLine });
    this.#lines = [];
  }
}

export function splitDocuments(text: string): DocumentText[] {
  const splitter = new DocumentSplitter();
  return [...splitter.push(text), ...splitter.end()];
}
