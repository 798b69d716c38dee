/* support.c: see support.h. */
#include "tests/support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- checks ---------------------------------------------------------------------------------------------------- */

static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long check_count;
static unsigned long failure_count;
static unsigned long skip_count;

/* Past this many failures a broken loop would only bury the first, telling ones. */
enum { PRINTED_FAILURES = 40 };

/* Counts one check; returns 1 when a failure of it should be printed. */
static int count_check(int holds) {
    int print = 0;
    pthread_mutex_lock(&report_lock);
    check_count++;
    if (!holds) {
        failure_count++;
        print = failure_count <= PRINTED_FAILURES;
    }
    pthread_mutex_unlock(&report_lock);
    return print;
}

int test_check(int holds, const char *file, int line, const char *text) {
    if (count_check(holds)) {
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    }
    return holds;
}

int test_check_equal(uint64_t actual, uint64_t expected, const char *file, int line, const char *text) {
    int holds = actual == expected;
    if (count_check(holds)) {
        fprintf(stderr, "%s:%d: failed: %s: %llu, expected %llu\n", file, line, text, (unsigned long long)actual,
                (unsigned long long)expected);
    }
    return holds;
}

int test_check_near(double actual, double expected, double tolerance, const char *file, int line, const char *text) {
    double scale = fmax(fmax(fabs(actual), fabs(expected)), 1.0);
    int holds = fabs(actual - expected) <= tolerance * scale;
    if (count_check(holds)) {
        fprintf(stderr, "%s:%d: failed: %s: %.17g, expected %.17g within %g\n", file, line, text, actual, expected,
                tolerance);
    }
    return holds;
}

int test_check_status(int32_t status, int32_t expected, const char *error, const char *file, int line,
                      const char *text) {
    int holds = status == expected && (expected == 0 || (error != NULL && error[0] != '\0'));
    if (count_check(holds)) {
        fprintf(stderr, "%s:%d: failed: %s: status %d, expected %d; message: \"%s\"\n", file, line, text, (int)status,
                (int)expected, error == NULL ? "" : error);
    }
    return holds;
}

void test_abandon(const char *file, int line) {
    fprintf(stderr, "%s:%d: cannot go on\n", file, line);
    exit(1);
}

void test_skip(const char *what, const char *why) {
    pthread_mutex_lock(&report_lock);
    skip_count++;
    pthread_mutex_unlock(&report_lock);
    printf("SKIP %s: %s\n", what, why);
}

int test_report(void) {
    printf("%lu checks, %lu failed, %lu skipped\n", check_count, failure_count, skip_count);
    if (check_count == 0 && skip_count == 0) {
        fprintf(stderr, "no check ran\n");
        return 1;
    }
    return failure_count == 0 ? 0 : 1;
}

/* --- the generator ----------------------------------------------------------------------------------------------- */

uint64_t test_random_next(test_random *random) {
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

uint64_t test_random_below(test_random *random, uint64_t bound) {
    /* The bias of the remainder is below 2^-32 for the bounds that tests use. */
    return test_random_next(random) % bound;
}

double test_random_uniform(test_random *random, double low, double high) {
    return low + (high - low) * ((double)(test_random_next(random) >> 11) * 0x1.0p-53);
}

double test_random_normal(test_random *random) {
    const double two_pi = 6.283185307179586476925;
    double radius = sqrt(-2.0 * log(test_random_uniform(random, 0x1.0p-54, 1.0)));
    return radius * cos(two_pi * test_random_uniform(random, 0.0, 1.0));
}

void test_random_fill(test_random *random, float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)test_random_normal(random);
    }
}

/* --- guard pages --------------------------------------------------------------------------------------------------- */

enum { SLACK_BYTE = 0xA5 };

/* Kept in a list of its own: next to the buffer is no room that the buffer could not overwrite. */
typedef struct guard {
    struct guard *next;
    unsigned char *mapping;
    size_t mapping_size;
    unsigned char *inside; /* first byte between the guard pages */
    size_t inside_size;
    unsigned char *buffer;
    size_t size;
} guard;

static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static guard *guards;

void *test_guard_allocate(size_t size, int side) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guard *entry = calloc(1, sizeof(*entry));
    REQUIRE(entry != NULL);
    entry->inside_size = (size == 0 ? page : (size + page - 1) / page * page);
    entry->mapping_size = entry->inside_size + 2 * page;
    void *mapping = mmap(NULL, entry->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapping != MAP_FAILED);
    entry->mapping = mapping;
    entry->inside = entry->mapping + page;
    REQUIRE(mprotect(entry->inside, entry->inside_size, PROT_READ | PROT_WRITE) == 0);
    memset(entry->inside, SLACK_BYTE, entry->inside_size);
    entry->size = size;
    entry->buffer = side == TEST_GUARD_BEFORE ? entry->inside : entry->inside + (entry->inside_size - size);
    memset(entry->buffer, 0, size);
    pthread_mutex_lock(&guard_lock);
    entry->next = guards;
    guards = entry;
    pthread_mutex_unlock(&guard_lock);
    return entry->buffer;
}

void test_guard_free(void *buffer) {
    if (buffer == NULL) {
        return;
    }
    pthread_mutex_lock(&guard_lock);
    guard **link = &guards;
    while (*link != NULL && (*link)->buffer != buffer) {
        link = &(*link)->next;
    }
    guard *entry = *link;
    if (entry != NULL) {
        *link = entry->next;
    }
    pthread_mutex_unlock(&guard_lock);
    REQUIRE(entry != NULL);
    size_t changed = 0;
    for (unsigned char *byte = entry->inside; byte < entry->inside + entry->inside_size; byte++) {
        int slack = byte < entry->buffer || byte >= entry->buffer + entry->size;
        changed += slack && *byte != SLACK_BYTE;
    }
    CHECK_EQUAL(changed, 0);
    munmap(entry->mapping, entry->mapping_size);
    free(entry);
}
