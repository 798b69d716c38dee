/* names.c: names, and Levenshtein's distance between two of them. */
#include "names.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 3, LONGEST = 2 * DMP_NAME_BYTES + 1 }; /* name/variant */

bool dmp_is_name(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    if (text == NULL) {
        return false;
    }
    const size_t length = strnlen(text, DMP_NAME_BYTES + 1);
    return length > 0 && length <= DMP_NAME_BYTES && strspn(text, allowed) == length;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Of the first LONGEST bytes. */
static size_t distance(const char *a, const char *b) {
    const size_t columns = strnlen(b, LONGEST);
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0' && i < LONGEST; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            const size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(changed, 1 + least(row[j], row[j + 1]));
        }
    }
    return row[columns];
}

void dmp_nearest(const char *wanted, const char *const *names, size_t count, char *text, size_t size) {
    size_t shown[SHOWN], far[SHOWN], taken = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t apart = distance(wanted, names[i]);
        size_t at = taken < SHOWN ? taken++ : SHOWN; /* SHOWN: behind the last place */
        for (; at > 0 && apart < far[at - 1]; at--) {
            if (at < SHOWN) {
                far[at] = far[at - 1];
                shown[at] = shown[at - 1];
            }
        }
        if (at < SHOWN) {
            far[at] = apart;
            shown[at] = i;
        }
    }
    int used = snprintf(text, size, "%s", taken == 0 ? "nothing" : "");
    for (size_t i = 0; i < taken && used >= 0 && (size_t)used < size; i++) {
        used += snprintf(text + used, size - (size_t)used, "%s%s", i > 0 ? ", " : "", names[shown[i]]);
    }
}
