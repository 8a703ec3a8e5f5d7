// The demo's long download: its server sends it piece by piece, its client counts the bytes.
export const DOWNLOAD_PIECES = 80;
export const PIECE_BYTES = 65_536;
export const PIECE_EVERY_MS = 100;
