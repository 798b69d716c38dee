/* support.h: what the C tests share: checks that report and count, a seeded generator, buffers between guard pages.
 *
 * A test is a program: main() calls its cases and returns test_report(). A failed check prints file, line and the
 * values, and the program goes on, so that one run shows every failure. */
#ifndef DUALMEM_TESTS_SUPPORT_H
#define DUALMEM_TESTS_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

/* --- checks ---------------------------------------------------------------------------------------------------- */

/* The condition holds. */
#define CHECK(condition) test_check((condition) != 0, __FILE__, __LINE__, #condition)
/* Two whole numbers (taken as uint64_t) are equal. */
#define CHECK_EQUAL(actual, expected) \
    test_check_equal((uint64_t)(actual), (uint64_t)(expected), __FILE__, __LINE__, #actual " == " #expected)
/* |actual - expected| <= tolerance * max(|actual|, |expected|, 1); NaN never passes. Tolerance 0 asks for equality. */
#define CHECK_NEAR(actual, expected, tolerance) \
    test_check_near((double)(actual), (double)(expected), (tolerance), __FILE__, __LINE__, #actual " ~ " #expected)
/* The status is `expected` and, unless it is DM_OK, the buffer holds a sentence. */
#define CHECK_STATUS(status, expected, error) \
    test_check_status((status), (expected), (error), __FILE__, __LINE__, #status)
/* The same, and the program ends if it does not hold: what follows would crash. */
#define REQUIRE(condition)                     \
    do {                                       \
        if (!CHECK(condition)) {               \
            test_abandon(__FILE__, __LINE__);  \
        }                                      \
    } while (0)

/* Each returns 1 when the check holds. Safe to call from several threads. */
int test_check(int holds, const char *file, int line, const char *text);
int test_check_equal(uint64_t actual, uint64_t expected, const char *file, int line, const char *text);
int test_check_near(double actual, double expected, double tolerance, const char *file, int line, const char *text);
int test_check_status(int32_t status, int32_t expected, const char *error, const char *file, int line, const char *text);
_Noreturn void test_abandon(const char *file, int line);

/* A case that this machine cannot run: says SKIP and why; never counted as a pass. */
void test_skip(const char *what, const char *why);

/* 1: the thread sanitizer looks on, to whom what one thread does alone says nothing. */
#if defined(__SANITIZE_THREAD__)
enum { TEST_THREADS_ONLY = 1 };
#else
enum { TEST_THREADS_ONLY = 0 };
#endif

/* Prints "N checks, M failed, K skipped" and returns the exit status: 0 only when checks ran and none failed. */
int test_report(void);

/* --- a seeded generator (splitmix64; Steele, Lea & Flood 2014) -------------------------------------------------- */

typedef struct test_random {
    uint64_t state;
} test_random;

uint64_t test_random_next(test_random *random);
/* Uniform in [0, bound); bound > 0. */
uint64_t test_random_below(test_random *random, uint64_t bound);
/* Uniform in [low, high). */
double test_random_uniform(test_random *random, double low, double high);
/* Standard normal (Box & Muller 1958). */
double test_random_normal(test_random *random);
void test_random_fill(test_random *random, float *values, size_t count);

/* --- buffers between guard pages --------------------------------------------------------------------------------- */

/* `size` bytes whose neighbours on both sides are pages that fault. The side decides which end is exact:
 * TEST_GUARD_AFTER: the byte after the last one faults; the buffer begins at a multiple of `alignment` only if size is
 * one. TEST_GUARD_BEFORE: the byte before the first one faults; the buffer begins at a page. The slack up to the other
 * guard page is filled with 0xA5 and checked by test_guard_free. Ends the program when there is no memory. */
enum { TEST_GUARD_AFTER = 0, TEST_GUARD_BEFORE = 1 };

void *test_guard_allocate(size_t size, int side);
/* Frees it; a changed slack byte is a failed check. Accepts NULL. */
void test_guard_free(void *buffer);

#endif
