/* names.h: what may be a name, and which names were probably meant. */
#ifndef DUALMEM_PLAYER_NAMES_H
#define DUALMEM_PLAYER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Names travel in requests, separated by spaces, and in JSON without escapes (the crash handler has no others). */
enum { DMP_NAME_BYTES = 64 };
#define DMP_NAME_RULE "is not a name (1 to 64 letters, digits, '_', '.', '+' or '-')"

bool dmp_is_name(const char *text);

/* The nearest of `count` names (by edit distance), up to three, as "a, b, c"; "nothing" when there are none. */
void dmp_nearest(const char *wanted, const char *const *names, size_t count, char *text, size_t size);

#endif
