// Cuts a stream of YAML into its documents, so that a file of 50 MB is never held as one text or one syntax tree.
// Pure. Exact by YAML 1.2.2 rule c-forbidden: `---` or `...` at the start of a line ends a document, even inside
// a quoted or a block scalar.

export interface DocumentText {
  readonly text: string;
  /** Line of the text's first character in its file, from 1. */
  readonly line: number;
  /** Why the text can't be read as it stands; it may be cut short then. */
  readonly fault?: { readonly line: number; readonly message: string };
}

/** Half of the longest string that V8 can make: a document is parsed from one string. */
const DOCUMENT_CHARS_MAX = 256 * 1024 * 1024;

const MARKER = /^(?:---|\.\.\.)(?=\s|$)/;
const NOTHING_BUT_PREAMBLE = /^(?:%.*|#.*|\s*)$/;
const BYTE_ORDER_MARK = '\uFEFF';

/** Fed chunk by chunk; answers each document once its end is seen. */
export class DocumentSplitter {
  readonly #charsMax: number;
  #lines: string[] = [];
  #firstLine = 1;
  #nextLine = 1;
  /** Pieces of a line whose end has not come yet. */
  #partial: string[] = [];
  /** Characters of that line so far, and of the lines of the document before it. */
  #lineChars = 0;
  #chars = 0;
  #fault: DocumentText['fault'];

  constructor(charsMax = DOCUMENT_CHARS_MAX) {
    this.#charsMax = charsMax;
  }

  push(chunk: string): DocumentText[] {
    const documents: DocumentText[] = [];
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      this.#hold(chunk.slice(start, end));
      this.#endLine(documents);
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.slice(start));
    return documents;
  }

  /** The rest, after the last chunk. */
  end(): DocumentText[] {
    const documents: DocumentText[] = [];
    if (this.#partial.length > 0) this.#endLine(documents);
    this.#cut(documents);
    return documents;
  }

  /** Of a line that is longer than a document may be nothing is kept. */
  #hold(piece: string): void {
    this.#lineChars += piece.length;
    if (this.#lineChars <= this.#charsMax) this.#partial.push(piece);
    else this.#partial = [''];
  }

  #endLine(documents: DocumentText[]): void {
    const joined = this.#partial.length === 1 ? (this.#partial[0] ?? '') : this.#partial.join('');
    this.#partial = [];
    const line = this.#withoutMark(joined);
    if (MARKER.test(line)) {
      // directives (%YAML) stand before the marker of the document that they belong to
      const isPreamble = line.startsWith('---') && this.#lines.some((each) => each.startsWith('%'));
      if (!isPreamble || !this.#lines.every((each) => NOTHING_BUT_PREAMBLE.test(each))) {
        this.#cut(documents);
      }
    }
    if (!/^\.\.\.\s*$/.test(line)) this.#add(line);
    this.#lineChars = 0;
    this.#nextLine++;
  }

  /** Of a document that is too long only its first line is kept. */
  #add(line: string): void {
    if (this.#lines.length === 0) this.#firstLine = this.#nextLine;
    this.#chars += this.#lineChars + 1;
    if (this.#chars <= this.#charsMax || this.#lines.length === 0) this.#lines.push(line);
    if (this.#chars <= this.#charsMax) return;
    this.#lines.splice(1);
    const message = `the document is longer than ${this.#charsMax} characters; part it by ---`;
    this.#fault ??= { line: this.#firstLine, message };
  }

  /** A byte order mark may stand where a document begins; elsewhere it would become a part of a field's name. */
  #withoutMark(line: string): string {
    if (!line.startsWith(BYTE_ORDER_MARK)) return line;
    const rest = line.slice(1);
    if (!MARKER.test(rest) && !this.#lines.every((each) => NOTHING_BUT_START.test(each))) {
      this.#fault ??= {
        line: this.#nextLine,
        message:
          'a byte order mark (U+FEFF) in the middle of a document: where files were joined, put --- between them',
      };
    }
    return rest;
  }

  #cut(documents: DocumentText[]): void {
    const isEmpty = this.#lines.every((line) => /^(?:---)?\s*(?:#.*)?$/.test(line));
    const fault = this.#fault;
    if (!isEmpty || fault !== undefined) {
      const text = this.#lines.join('\n') + '\n';
      const document = { text, line: this.#firstLine };
      documents.push(fault === undefined ? document : { ...document, fault });
    }
    this.#lines = [];
    this.#chars = 0;
    this.#fault = undefined;
  }
}

const NOTHING_BUT_START = /^(?:---\s*|%.*|#.*|\s*)$/;

export function splitDocuments(text: string): DocumentText[] {
  const splitter = new DocumentSplitter();
  return [...splitter.push(text), ...splitter.end()];
}
