// "Did you mean": the known word nearest to a mistyped one.

/** Longer ones are no typing errors, and comparing them takes time. */
const WORD_MAX = 100;

/** The candidate that at most so many letters (a third) set apart; undefined where none is that near. */
export function closest(
  word: string,
  candidates: readonly string[],
  most = Math.max(1, Math.floor(word.length / 3)),
): string | undefined {
  if (word.length > WORD_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = most + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const letter = a[i];
    let diagonal = i;
    let left = i + 1;
    row = row.map((above, j) => {
      if (j === 0) return left;
      const cost = b[j - 1] === letter ? 0 : 1;
      left = Math.min(diagonal + cost, above + 1, left + 1);
      diagonal = above;
      return left;
    });
  }
  return row.reduce((_, last) => last, 0);
}
