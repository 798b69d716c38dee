/* test_histogram.c: the bucket function against the definition of docs/reference/worker-protocol.md, worked out another way. */
#include "host/host.h"
#include "tests/support.h"

#include <stdlib.h>

/* The definition, by shifting until the value fits: no logarithm, no bit counting. */
static size_t oracle(uint64_t value) {
    size_t e = 0;
    while (value >> e >= 256) {
        e++;
    }
    return e * 128 + (size_t)(value >> e);
}

static void check_value(uint64_t value) {
    size_t bucket = dmx_histogram_bucket(value);
    CHECK_EQUAL(bucket, oracle(value));
    CHECK(bucket < DMX_HISTOGRAM_BUCKETS);
    uint64_t lowest = dmx_histogram_lowest(bucket);
    CHECK(lowest <= value);
    CHECK_EQUAL(dmx_histogram_bucket(lowest), bucket);
    if (bucket + 1 < DMX_HISTOGRAM_BUCKETS) {
        uint64_t next = dmx_histogram_lowest(bucket + 1);
        CHECK(next > value);
        CHECK(next - lowest <= (lowest < 256 ? 1 : lowest / 128)); /* the promised resolution */
    }
}

static void test_buckets(void) {
    for (uint64_t value = 0; value < 5000; value++) {
        check_value(value);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t offset = 0; offset < 3; offset++) {
            check_value(((uint64_t)1 << bit) - 1 + offset);
        }
    }
    check_value(UINT64_MAX);
    CHECK_EQUAL(dmx_histogram_bucket(UINT64_MAX), DMX_HISTOGRAM_BUCKETS - 1);
    test_random random = {.state = 1};
    for (int i = 0; i < 20000; i++) {
        uint64_t shift = test_random_below(&random, 64); /* every magnitude alike */
        check_value(test_random_next(&random) >> shift);
    }
    for (size_t bucket = 0; bucket < DMX_HISTOGRAM_BUCKETS; bucket++) { /* no bucket is skipped */
        CHECK_EQUAL(dmx_histogram_bucket(dmx_histogram_lowest(bucket)), bucket);
    }
}

static void test_totals(void) {
    dmx_histogram *histogram = calloc(1, sizeof *histogram);
    REQUIRE(histogram != NULL);
    const uint64_t values[] = {7, 0, 300, 301, 60000000001, 7};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        dmx_histogram_add(histogram, values[i]);
    }
    CHECK_EQUAL(histogram->count, 6);
    CHECK_EQUAL(histogram->sum_ns, 60000000616);
    CHECK_EQUAL(histogram->max_ns, 60000000001); /* a minute is not clipped */
    CHECK_EQUAL(histogram->buckets[7], 2);
    CHECK_EQUAL(histogram->buckets[0], 1);
    CHECK_EQUAL(histogram->buckets[oracle(300)], 2); /* 300 and 301 share a bucket of width 2 */
    CHECK_EQUAL(histogram->buckets[oracle(60000000001)], 1);
    free(histogram);
}

int main(void) {
    test_buckets();
    test_totals();
    return test_report();
}
