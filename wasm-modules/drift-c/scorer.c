/* drift-c: how far each signal's smoothed deviation has drifted from the baseline. */

#include "twinwright.h"

#define NAME "drift-c"
#define STATE_FORMAT 1
#define MOST_SIGNALS 256

static struct { uint32_t signals; double mean[MOST_SIGNALS], deviation[MOST_SIGNALS], alpha, limit; } baseline;

static tw_descriptor tw_describe(void) {
    return (tw_descriptor){ .name = NAME, .version = "1.0.0", .state_format = STATE_FORMAT, .deterministic = 1 };
}

static const char *tw_prepare(const char *text, size_t length) {
    uint32_t signals = tw_numbers(text, length, "mean", baseline.mean, MOST_SIGNALS);
    if (signals == 0) return "the baseline has no mean";
    if (tw_numbers(text, length, "deviation", baseline.deviation, MOST_SIGNALS) != signals)
        return "the baseline's deviation has another length than its mean";
    for (uint32_t signal = 0; signal < signals; signal++)
        if (baseline.deviation[signal] < 1e-9) baseline.deviation[signal] = 1e-9;
    baseline.alpha = tw_number(text, length, "ewma_alpha", 0.1);
    baseline.limit = tw_number(text, length, NAME, 3.0);
    baseline.signals = signals;
    return NULL;
}

static double size_of(double value) { return value < 0 ? -value : value; }

static const char *tw_score(const tw_batch *batch, tw_answer *answer) {
    uint32_t signals = batch->signals, blob = 1 + signals * 8;
    if (signals != baseline.signals) return "the batch has other signals than the baseline";
    double *smoothed = tw_alloc((size_t)batch->devices * signals * sizeof(double));
    for (uint32_t device = 0; device < batch->devices; device++) {
        uint32_t length;
        const uint8_t *state = tw_state_of(batch, device, &length);
        double *own = smoothed + (size_t)device * signals;
        /* A blob that is not ours, or that is cut, is no state. */
        if (length == blob && state[0] == STATE_FORMAT) memcpy(own, state + 1, signals * 8);
        for (uint32_t signal = 0; signal < signals; signal++)
            if (!(size_of(own[signal]) < 1e12)) own[signal] = 0;
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        double *own = smoothed + (size_t)batch->device[row] * signals;
        uint32_t largest = 0, seen = 0;
        for (uint32_t signal = 0; signal < signals; signal++) {
            size_t at = (size_t)row * signals + signal;
            if (!batch->mask[at]) {
                seen = 1;
                double distance = (batch->values[at] - baseline.mean[signal]) / baseline.deviation[signal];
                own[signal] += baseline.alpha * (distance - own[signal]);
            }
            if (size_of(own[signal]) > size_of(own[largest])) largest = signal;
        }
        if (!seen) {
            answer->status[row] = TW_INSUFFICIENT;
            continue;
        }
        answer->scores[row] = size_of(own[largest]) / baseline.limit;
        answer->contributions[(size_t)row * signals + largest] = answer->scores[row];
    }
    answer->state = tw_alloc((size_t)batch->devices * blob);
    for (uint32_t device = 0; device < batch->devices; device++) {
        uint8_t *state = answer->state + (size_t)device * blob;
        state[0] = STATE_FORMAT;
        memcpy(state + 1, smoothed + (size_t)device * signals, signals * 8);
        answer->state_ends[device] = (device + 1) * blob;
    }
    return NULL;
}
