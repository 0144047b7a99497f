/* The scorer contract for C: no generator, no runtime, one header.
 *
 * Define the four functions below; include this header in exactly one file, which is compiled to a reactor of
 * wasm32 (`twinwright plugin build` does it). Memory that the host lowers arguments into comes from
 * `cabi_realloc`, a bump allocator here that each call resets: nothing can leak. */
#ifndef TWINWRIGHT_H
#define TWINWRIGHT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TW_OK = 0, TW_WARMING = 1, TW_INSUFFICIENT = 2, TW_INVALID = 3 };

/* Bytes that a call may use: arguments, answer, scratch. Define it before the include for more. */
#ifndef TW_ARENA
#define TW_ARENA (24u << 20)
#endif

typedef struct { const char *name, *version; uint32_t state_format; int deterministic; } tw_descriptor;

/* Rows of devices of one equipment model. Element (row, signal) is values[row * signals + signal]. */
typedef struct {
    uint32_t signals, rows, devices;
    const uint32_t *device;
    const int64_t *time;
    const double *values;
    const uint8_t *mask;
    const uint8_t *state;
    const uint32_t *state_ends;
} tw_batch;

/* All zero when `tw_score` is called. `state` is what `tw_state` gave out. */
typedef struct { double *scores; uint8_t *status; double *contributions; uint8_t *state; uint32_t *state_ends; } tw_answer;

/* Yours. An error is a text; NULL means success. */
static tw_descriptor tw_describe(void);
static const char *tw_prepare(const char *baseline, size_t length);
static const char *tw_score(const tw_batch *batch, tw_answer *answer);

static uint8_t tw_arena[TW_ARENA] __attribute__((aligned(16)));
static size_t tw_used;

/* Scratch memory until the end of the call, zeroed; traps where the arena is full. */
static void *tw_alloc(size_t size) {
    tw_used = (tw_used + 15) & ~(size_t)15;
    if (size > TW_ARENA - tw_used) __builtin_trap();
    void *place = tw_arena + tw_used;
    tw_used += size;
    return memset(place, 0, size);
}

/* The blob of a device; its length is 0 where there is no state yet. */
static const uint8_t *tw_state_of(const tw_batch *batch, uint32_t device, uint32_t *length) {
    uint32_t start = device ? batch->state_ends[device - 1] : 0;
    *length = batch->state_ends[device] - start;
    return batch->state + start;
}

__attribute__((export_name("cabi_realloc")))
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)align;
    if (size == 0) return (void *)16;
    void *place = tw_alloc(size);
    if (old_size) memcpy(place, old, old_size < size ? old_size : size);
    return place;
}

typedef struct { const void *at; uint32_t length; } tw_list;

static uint32_t tw_length(const char *text) { return (uint32_t)strlen(text); }

__attribute__((export_name("twinwright:scoring/scoring@1.0.0#describe")))
void *tw_export_describe(void) {
    static struct { tw_list name, version; uint32_t state_format; uint8_t deterministic; } out;
    tw_descriptor told = tw_describe();
    out.name = (tw_list){ told.name, tw_length(told.name) };
    out.version = (tw_list){ told.version, tw_length(told.version) };
    out.state_format = told.state_format;
    out.deterministic = told.deterministic != 0;
    tw_used = 0;
    return &out;
}

__attribute__((export_name("twinwright:scoring/scoring@1.0.0#prepare")))
void *tw_export_prepare(const char *baseline, size_t length) {
    static struct { uint8_t failed; tw_list error; } out;
    const char *error = tw_prepare(baseline, length);
    out.failed = error != NULL;
    out.error = (tw_list){ error, error ? tw_length(error) : 0 };
    tw_used = 0;
    return &out;
}

__attribute__((export_name("twinwright:scoring/scoring@1.0.0#score")))
void *tw_export_score(uint32_t signals, const uint8_t *device, uint32_t device_length, const uint8_t *time,
                      uint32_t time_length, const uint8_t *values, uint32_t values_length, const uint8_t *mask,
                      uint32_t mask_length, const uint8_t *state, uint32_t state_length, const uint8_t *state_ends,
                      uint32_t state_ends_length) {
    static struct { uint8_t failed; union { tw_list error; tw_list answer[5]; }; } out;
    (void)time_length, (void)values_length, (void)mask_length, (void)state_length;
    tw_batch batch = {
        .signals = signals, .rows = device_length / 4, .devices = state_ends_length / 4,
        .device = (const uint32_t *)device, .time = (const int64_t *)time, .values = (const double *)values,
        .mask = mask, .state = state, .state_ends = (const uint32_t *)state_ends,
    };
    size_t cells = (size_t)batch.rows * signals;
    tw_answer answer = {
        .scores = tw_alloc(batch.rows * sizeof(double)), .status = tw_alloc(batch.rows),
        .contributions = tw_alloc(cells * sizeof(double)), .state = NULL,
        .state_ends = tw_alloc(batch.devices * sizeof(uint32_t)),
    };
    const char *error = tw_score(&batch, &answer);
    out.failed = error != NULL;
    if (error) {
        out.error = (tw_list){ error, tw_length(error) };
    } else {
        uint32_t end = batch.devices ? answer.state_ends[batch.devices - 1] : 0;
        out.answer[0] = (tw_list){ answer.scores, batch.rows * 8 };
        out.answer[1] = (tw_list){ answer.status, batch.rows };
        out.answer[2] = (tw_list){ answer.contributions, (uint32_t)cells * 8 };
        out.answer[3] = (tw_list){ answer.state ? answer.state : (uint8_t *)answer.state_ends, end };
        out.answer[4] = (tw_list){ answer.state_ends, batch.devices * 4 };
    }
    return &out;
}

/* The answer has been read: the arena is free again. */
__attribute__((export_name("cabi_post_twinwright:scoring/scoring@1.0.0#score")))
void tw_post_score(void *out) { (void)out; tw_used = 0; }

/* A number array of the baseline's document: the numbers after the first "KEY" and its `[`. Answers how many, at most
 * `most`. Enough for the baseline's flat arrays; it is no JSON parser. */
static uint32_t tw_numbers(const char *text, size_t length, const char *key, double *out, uint32_t most);
/* A single number after "KEY":, or `otherwise`. */
static double tw_number(const char *text, size_t length, const char *key, double otherwise);

static const char *tw_after(const char *text, size_t length, const char *key) {
    size_t size = strlen(key);
    for (size_t at = 0; at + size + 2 <= length; at++) {
        if (text[at] != '"' || memcmp(text + at + 1, key, size) || text[at + 1 + size] != '"') continue;
        const char *place = text + at + size + 2, *end = text + length;
        while (place < end && (*place == ' ' || *place == '\n' || *place == '\t' || *place == '\r')) place++;
        if (place < end && *place == ':') return place + 1;
    }
    return NULL;
}

static const char *tw_parse(const char *at, const char *end, double *value) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r' || *at == ',')) at++;
    double sign = 1, number = 0, scale = 1;
    int exponent = 0, digits = 0, down = 0;
    if (at < end && *at == '-') sign = -1, at++;
    for (; at < end && *at >= '0' && *at <= '9'; at++, digits++) number = number * 10 + (*at - '0');
    if (at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++, digits++) number = number * 10 + (*at - '0'), scale *= 10;
    if (!digits) return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '-' || *at == '+')) down = *at++ == '-';
        for (; at < end && *at >= '0' && *at <= '9' && exponent < 400; at++) exponent = exponent * 10 + (*at - '0');
    }
    number /= scale;
    for (; exponent > 0; exponent--) number = down ? number / 10 : number * 10;
    *value = sign * number;
    return at;
}

static uint32_t tw_numbers(const char *text, size_t length, const char *key, double *out, uint32_t most) {
    const char *end = text + length, *at = tw_after(text, length, key);
    uint32_t count = 0;
    while (at && at < end && *at != '[') at++;
    if (!at || at == end) return 0;
    for (at++; count < most; count++) if (!(at = tw_parse(at, end, &out[count]))) break;
    return count;
}

static double tw_number(const char *text, size_t length, const char *key, double otherwise) {
    const char *at = tw_after(text, length, key);
    double value;
    return at && tw_parse(at, text + length, &value) ? value : otherwise;
}

#endif
