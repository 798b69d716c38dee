/* answer.c: a JSON writer for one event at a time. An event is built in memory and leaves in one write, outside of
 * anything timed, so that a reader never sees half a line unless the process was killed in the middle of that write. */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 }; /* bytes taken of a library's string */

static void append(dmx_answer *answer, const char *bytes, size_t size) {
    if (answer->failed) {
        return;
    }
    if (answer->capacity - answer->size < size) {
        size_t capacity = answer->capacity * 2 + size + 1024;
        char *larger = realloc(answer->text, capacity);
        if (larger == NULL) {
            answer->failed = true;
            return;
        }
        answer->text = larger;
        answer->capacity = capacity;
    }
    memcpy(answer->text + answer->size, bytes, size);
    answer->size += size;
}

/* A comma, unless this is the first of its array or object or the value of a key. */
static void separate(dmx_answer *answer) {
    if (answer->size > 0 && strchr("[{:", answer->text[answer->size - 1]) == NULL) {
        append(answer, ",", 1);
    }
}

static void put(dmx_answer *answer, const char *text) {
    separate(answer);
    append(answer, text, strlen(text));
}

/* Length of the valid UTF-8 sequence at `text`, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *text) {
    if (text[0] < 0x80) {
        return 1;
    }
    size_t length = text[0] >= 0xc2 && text[0] <= 0xdf   ? 2
                    : (text[0] & 0xf0) == 0xe0           ? 3
                    : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                         : 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) { /* also stops at the terminating zero */
            return 0;
        }
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return length;
}

static void append_escape(dmx_answer *answer, uint32_t unit) {
    char escape[8];
    (void)snprintf(escape, sizeof escape, "\\u%04x", unit & 0xffffu);
    append(answer, escape, 6);
}

/* Pure ASCII: there are line breaks beyond it (U+0085, U+2028) that some readers of JSON Lines would break a line at.
 */
static void append_character(dmx_answer *answer, const unsigned char *at, size_t length) {
    uint32_t code = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code >= 0x10000) {
        append_escape(answer, 0xd800 + ((code - 0x10000) >> 10));
        append_escape(answer, 0xdc00 + ((code - 0x10000) & 0x3ff));
    } else if (code < 0x20 || code > 0x7e) {
        append_escape(answer, code);
    } else {
        if (code == '"' || code == '\\') {
            append(answer, "\\", 1);
        }
        append(answer, (const char *)at, 1);
    }
}

static void append_text(dmx_answer *answer, const char *text) {
    append(answer, "\"", 1);
    for (const char *at = text; *at != '\0' && at - text < TEXT_MAX;) {
        size_t length = utf8_length((const unsigned char *)at);
        if (length == 0) {
            append_escape(answer, 0xfffd); /* a byte that is not text */
        } else {
            append_character(answer, (const unsigned char *)at, length);
        }
        at += length > 0 ? length : 1;
    }
    append(answer, "\"", 1);
}

void dmx_answer_begin(dmx_answer *answer, const char *event) {
    answer->size = 0;
    dmx_answer_open(answer, '{');
    dmx_answer_key(answer, "event");
    dmx_answer_text(answer, event);
}

void dmx_answer_end(dmx_answer *answer) {
    append(answer, "}\n", 2);
    answer->in_progress = 1;
    for (size_t sent = 0; !answer->failed && sent < answer->size;) {
        ssize_t wrote = write(answer->descriptor, answer->text + sent, answer->size - sent);
        if (wrote >= 0) {
            sent += (size_t)wrote;
        } else if (errno != EINTR) {
            answer->failed = true; /* nobody listens any more */
        }
    }
    answer->in_progress = 0;
}

void dmx_answer_free(dmx_answer *answer) {
    free(answer->text);
    answer->text = NULL;
    answer->size = answer->capacity = 0;
}

void dmx_answer_key(dmx_answer *answer, const char *key) {
    dmx_answer_text(answer, key);
    append(answer, ":", 1);
}

void dmx_answer_open(dmx_answer *answer, char bracket) {
    put(answer, (const char[]){bracket, '\0'});
}

void dmx_answer_close(dmx_answer *answer, char bracket) {
    append(answer, &bracket, 1);
}

void dmx_answer_text(dmx_answer *answer, const char *text) {
    separate(answer);
    append_text(answer, text ? text : "");
}

void dmx_answer_whole(dmx_answer *answer, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put(answer, text);
}

void dmx_answer_signed(dmx_answer *answer, int64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    put(answer, text);
}

void dmx_answer_real(dmx_answer *answer, double value) {
    char text[40];
    if (isfinite(value)) {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    put(answer, isfinite(value) ? text : "null");
}

void dmx_answer_hex(dmx_answer *answer, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%016" PRIx64, value);
    dmx_answer_text(answer, text);
}

void dmx_answer_truth(dmx_answer *answer, bool value) {
    put(answer, value ? "true" : "false");
}

void dmx_answer_null(dmx_answer *answer) {
    put(answer, "null");
}
