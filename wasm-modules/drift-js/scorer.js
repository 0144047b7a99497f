// drift-js: how far each signal's smoothed deviation has drifted from the baseline.

import { Answer, Batch, INSUFFICIENT } from './twinwright.js';

const NAME = 'drift-js', VERSION = '1.0.0';
const STATE_FORMAT = 1;
// The limit where a baseline has none for this scorer: in smoothed standard deviations.
const DEFAULT_LIMIT = 3.0;

let baseline = null;

function text(bytes) {
  return new TextDecoder().decode(bytes);
}

function unpack(blob, signals) {
  // A blob that is not ours, or that is cut, is no state.
  const none = new Float64Array(signals);
  if (blob.length !== 1 + 8 * signals || blob[0] !== STATE_FORMAT) return none;
  const values = new Float64Array(blob.slice(1).buffer);
  return values.every((value) => Math.abs(value) < 1e12) ? values : none;
}

function pack(values) {
  const blob = new Uint8Array(1 + 8 * values.length);
  blob[0] = STATE_FORMAT;
  blob.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 1);
  return blob;
}

export const scoring = {
  describe() {
    return { name: NAME, version: VERSION, stateFormat: STATE_FORMAT, deterministic: true };
  },

  prepare(bytes) {
    try {
      const document = JSON.parse(text(bytes));
      const regime = document.regimes[0];
      baseline = {
        mean: Float64Array.from(regime.mean),
        deviation: Float64Array.from(regime.deviation, (value) => Math.max(value, 1e-9)),
        alpha: document.ewma_alpha ?? 0.1,
        limit: document.limits?.[NAME] ?? DEFAULT_LIMIT,
      };
    } catch (error) {
      throw `the baseline cannot be read: ${error}`;
    }
  },

  score(raw) {
    if (!baseline) throw 'score was called before prepare';
    if (raw.signals !== baseline.mean.length) {
      throw `${raw.signals} signals, the baseline has ${baseline.mean.length}`;
    }
    const batch = new Batch(raw);
    const answer = new Answer(batch);
    const { signals, rows, values, mask, device } = batch;
    const { mean, deviation, alpha, limit } = baseline;
    const smoothed = batch.state.map((blob) => unpack(blob, signals));
    for (let row = 0; row < rows; row++) {
      const state = smoothed[device[row]];
      let seen = false, largest = 0;
      for (let signal = 0, at = row * signals; signal < signals; signal++, at++) {
        if (!mask[at]) {
          seen = true;
          state[signal] += alpha * ((values[at] - mean[signal]) / deviation[signal] - state[signal]);
        }
        if (Math.abs(state[signal]) > Math.abs(state[largest])) largest = signal;
      }
      if (seen) answer.set(row, Math.abs(state[largest]) / limit, largest);
      else answer.status[row] = INSUFFICIENT;
    }
    answer.state = smoothed.map(pack);
    return answer.packed();
  },
};
