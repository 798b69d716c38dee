/* histogram.c: a log-linear histogram in HdrHistogram's layout, without clipping (docs/reference/worker-protocol.md).
 *
 * With b = 7: a value below 2^(b+1) is its own bucket; above, e = floor(log2 v) - b and the bucket is (e << b) + (v >>
 * e), which continues the exact part without a gap. The width of a bucket is at most 1/128 of its values. */
#include "host.h"

_Static_assert(DMX_HISTOGRAM_BUCKETS == ((63 - DMX_HISTOGRAM_BITS) << DMX_HISTOGRAM_BITS) + (2 << DMX_HISTOGRAM_BITS),
               "the last bucket holds UINT64_MAX");

size_t dmx_histogram_bucket(uint64_t value) {
    if (value < (uint64_t)2 << DMX_HISTOGRAM_BITS) {
        return (size_t)value;
    }
    unsigned e = 63u - (unsigned)__builtin_clzll(value) - DMX_HISTOGRAM_BITS;
    return ((size_t)e << DMX_HISTOGRAM_BITS) + (size_t)(value >> e);
}

uint64_t dmx_histogram_lowest(size_t bucket) {
    if (bucket < (size_t)2 << DMX_HISTOGRAM_BITS) {
        return bucket;
    }
    size_t e = (bucket >> DMX_HISTOGRAM_BITS) - 1; /* v >> e lies in [2^b, 2^(b+1)), so it carries one into e */
    return (uint64_t)(bucket - (e << DMX_HISTOGRAM_BITS)) << e;
}

void dmx_histogram_add(dmx_histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->sum_ns += value;
    if (value > histogram->max_ns) {
        histogram->max_ns = value;
    }
    histogram->buckets[dmx_histogram_bucket(value)]++;
}
