// The packed buffers of the scorer contract as typed arrays. Copy this file into your scorer.

export const OK = 0, WARMING = 1, INSUFFICIENT = 2, INVALID = 3;

// A view needs an offset that its numbers divide; a buffer that has none is copied.
function view(Type, bytes) {
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Type(aligned.buffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}

/** Rows of devices of one equipment model. */
export class Batch {
  constructor(raw) {
    this.signals = raw.signals;
    this.device = view(Uint32Array, raw.device);
    this.time = view(BigInt64Array, raw.time);
    this.values = view(Float64Array, raw.values);
    this.mask = raw.mask;
    this.rows = this.device.length;
    /** The blob of each device; empty: no state yet. */
    this.state = [];
    let start = 0;
    for (const end of view(Uint32Array, raw.stateEnds)) {
      this.state.push(raw.state.subarray(start, end));
      start = end;
    }
  }
}

/** What a scorer answers: one score, status and S contributions a row, one blob a device. */
export class Answer {
  constructor(batch) {
    this.signals = batch.signals;
    this.scores = new Float64Array(batch.rows);
    this.status = new Uint8Array(batch.rows);
    this.contributions = new Float64Array(batch.rows * batch.signals);
    this.state = batch.state;
  }

  /** Gives a row its score, and the signal that it is due to. */
  set(row, score, signal) {
    this.scores[row] = score;
    this.contributions[row * this.signals + signal] = score;
  }

  /** The contract's record. */
  packed() {
    const ends = new Uint32Array(this.state.length);
    let end = 0;
    this.state.forEach((blob, device) => { end += blob.length; ends[device] = end; });
    const state = new Uint8Array(end);
    this.state.forEach((blob, device) => state.set(blob, ends[device] - blob.length));
    const bytes = (array) => new Uint8Array(array.buffer);
    return {
      scores: bytes(this.scores), status: this.status, contributions: bytes(this.contributions),
      state, stateEnds: bytes(ends),
    };
  }
}
