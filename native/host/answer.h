/* answer.h: writes events as JSON Lines. Commas are put where they belong; strings may hold any bytes. */
#ifndef DUALMEM_ANSWER_H
#define DUALMEM_ANSWER_H

#include "host.h"

#include <stdbool.h>

typedef struct dmx_answer {
    int descriptor;
    char *text; /* the event being made */
    size_t size, capacity;
    bool failed;                       /* an allocation or a write failed; later events go nowhere */
    volatile sig_atomic_t in_progress; /* a write has begun: a crash handler must not write into its line */
} dmx_answer;

void dmx_answer_begin(dmx_answer *answer, const char *event); /* {"event":"..." */
void dmx_answer_end(dmx_answer *answer);                      /* }, newline, written in one go */
void dmx_answer_free(dmx_answer *answer);

void dmx_answer_key(dmx_answer *answer, const char *key);
void dmx_answer_open(dmx_answer *answer, char bracket); /* '[' or '{' */
void dmx_answer_close(dmx_answer *answer, char bracket);
void dmx_answer_text(dmx_answer *answer, const char *text); /* NULL as "" */
void dmx_answer_whole(dmx_answer *answer, uint64_t value);
void dmx_answer_signed(dmx_answer *answer, int64_t value);
void dmx_answer_real(dmx_answer *answer, double value);  /* not finite: null */
void dmx_answer_hex(dmx_answer *answer, uint64_t value); /* 16 digits, as a string */
void dmx_answer_truth(dmx_answer *answer, bool value);
void dmx_answer_null(dmx_answer *answer);

#endif
