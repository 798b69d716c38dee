/* test_pages.c: whose memory it is, and that an exchange moves pages and no contents. What moved is read from the kernel's own table of
 * physical pages, where this process may (root); otherwise contents and counts alone are checked. */
#include "host/pages.h"
#include "tests/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_BYTES = 2 << 20, WORDS = 512 };

static size_t page;
static test_random seeded = {.state = 7};

/* ---- spans ---- */

static dmx_memory random_spans(size_t most, uintptr_t top) {
    dmx_memory made = {0};
    uintptr_t at = test_random_below(&seeded, 4);
    while (made.count < most && at + 8 < top) {
        const uintptr_t end = at + 1 + test_random_below(&seeded, 6);
        made.spans[made.count++] = (dmx_span){at, end};
        at = end + 1 + test_random_below(&seeded, 5);
    }
    return made;
}

static bool holds(const dmx_memory *memory, uintptr_t address) {
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->spans[i].begin <= address && address < memory->spans[i].end) {
            return true;
        }
    }
    return false;
}

/* Against asking every address. */
static void test_since(void) {
    enum { TOP = 120 };
    for (int round = 0; round < 2000; round++) {
        const dmx_memory after = random_spans(test_random_below(&seeded, 12), TOP);
        const dmx_memory before = random_spans(test_random_below(&seeded, 12), TOP);
        dmx_memory left = after;
        dmx_memory_since(&left, &before);
        size_t wrong = 0;
        for (uintptr_t a = 0; a < TOP + 16; a++) {
            wrong += holds(&left, a) != (holds(&after, a) && !holds(&before, a));
        }
        for (size_t i = 0; i < left.count; i++) {
            wrong += left.spans[i].begin >= left.spans[i].end;
            wrong += i > 0 && left.spans[i - 1].end > left.spans[i].begin;
        }
        CHECK_EQUAL(wrong, 0);
    }
}

/* ---- memory ---- */

static void *map(size_t bytes, int protection) {
    void *made = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(made != MAP_FAILED);
    return made;
}

static void fill(uint64_t *words, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *words; i++) {
        words[i] = test_random_next(&seeded);
    }
}

static void test_read(void) {
    static dmx_memory before, now;
    dmx_memory_read(&before);
    char *ours = map(8 * page, PROT_READ | PROT_WRITE);
    char *reserved = map(8 * page, PROT_NONE);
    char *readable = map(8 * page, PROT_READ);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *of_file = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    REQUIRE(file >= 0 && of_file != MAP_FAILED);
    char *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    char on_stack = 0;
    dmx_memory_read(&now);
    CHECK(holds(&now, (uintptr_t)ours) && holds(&now, (uintptr_t)ours + 8 * page - 1));
    CHECK(!holds(&now, (uintptr_t)reserved) && !holds(&now, (uintptr_t)readable) && !holds(&now, (uintptr_t)of_file));
    CHECK(!holds(&now, (uintptr_t)shared) && !holds(&now, (uintptr_t)&on_stack));
    dmx_memory_since(&now, &before);
    CHECK(holds(&now, (uintptr_t)ours) && !holds(&before, (uintptr_t)ours));
    (void)munmap(ours, 8 * page);
    (void)munmap(reserved, 8 * page);
    (void)munmap(readable, 8 * page);
    (void)munmap(of_file, page);
    (void)munmap(shared, page);
    (void)close(file);
}

/* ---- the exchange ---- */

static uint64_t entry_of(const void *address) {
    uint64_t entry = 0;
    int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!pread(file, &entry, sizeof entry, (off_t)((uintptr_t)address / page * sizeof entry));
        (void)close(file);
    }
    return entry;
}

static bool is_present(const void *address) {
    return (entry_of(address) >> 63 & 1) != 0;
}

/* Number of the physical page; 0 where it is not told. */
static uint64_t frame_of(const void *address) {
    return entry_of(address) & ((UINT64_C(1) << 55) - 1);
}

static dmx_memory span(const void *begin, size_t bytes) {
    return (dmx_memory){.count = 1, .spans = {{(uintptr_t)begin, (uintptr_t)begin + bytes}}};
}

static void test_exchange(void) {
    enum { PAGES = 64 };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE);
    char *apart = map(page, PROT_NONE); /* so that the two are no one mapping */
    uint64_t *b = map(PAGES * page, PROT_READ | PROT_WRITE), *kept = malloc(2 * PAGES * page);
    REQUIRE(kept != NULL);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    memcpy(b + 5 * WORDS, a + 5 * WORDS, page); /* one page is equal on both sides */
    memcpy(kept, a, PAGES * page);
    memcpy(kept + PAGES * page / 8, b, PAGES * page);
    uint64_t frames[2][PAGES];
    for (size_t i = 0; i < PAGES; i++) {
        frames[0][i] = frame_of((char *)a + i * page);
        frames[1][i] = frame_of((char *)b + i * page);
    }
    if (frames[0][0] == 0) {
        test_skip("which pages moved", "this kernel names physical pages to root only");
    }
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    for (size_t times = 1; times <= 4; times++) {
        CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), PAGES);
        CHECK(memcmp(kept, a, PAGES * page) == 0);
        CHECK(memcmp(kept + PAGES * page / 8, b, PAGES * page) == 0);
        for (size_t i = 0; i < PAGES; i++) {
            CHECK_EQUAL(frame_of((char *)a + i * page), frames[times % 2][i]);
            CHECK_EQUAL(frame_of((char *)b + i * page), frames[1 - times % 2][i]);
        }
    }
    (void)munmap(apart, page);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
    free(kept);
}

/* Sides of unequal size, with holes: pages that are there go with pages that are there, and no hole becomes memory. */
static void test_unequal_sides_with_holes(void) {
    enum { A = 100, B = 60 };
    char *a = map(A * page, PROT_READ | PROT_WRITE);
    char *apart = map(page, PROT_NONE);
    char *b = map(B * page, PROT_READ | PROT_WRITE);
    size_t there[2] = {0, 0};
    for (size_t i = 0; i < A; i++) {
        if (i % 3 != 1) {
            memset(a + i * page, (int)(i + 1), page);
            there[0]++;
        }
    }
    for (size_t i = 0; i < B; i++) {
        if (i % 7 != 2) {
            memset(b + i * page, (int)(i + 101), page);
            there[1]++;
        }
    }
    const dmx_memory of_a = span(a, A * page), of_b = span(b, B * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), there[0] < there[1] ? there[0] : there[1]);
    for (size_t i = 0; i < A; i++) {
        CHECK_EQUAL(is_present(a + i * page), i % 3 != 1);
    }
    for (size_t i = 0; i < B; i++) {
        CHECK_EQUAL(is_present(b + i * page), i % 7 != 2);
    }
    for (size_t i = 0; i < A; i++) {
        const char expected = i % 3 != 1 ? (char)(i + 1) : 0;
        CHECK(a[i * page] == expected && a[i * page + page - 1] == expected);
    }
    for (size_t i = 0; i < B; i++) {
        const char expected = i % 7 != 2 ? (char)(i + 101) : 0;
        CHECK(b[i * page] == expected && b[i * page + page - 1] == expected);
    }
    (void)munmap(apart, page);
    (void)munmap(a, A * page);
    (void)munmap(b, B * page);
}

static void test_too_few_to_gain(void) {
    enum { PAGES = DMX_EXCHANGE_FEWEST };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE), *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    const uint64_t frame = frame_of(a);
    const dmx_memory none = {0}, of_a = span(a, PAGES * page), less = span(b, (PAGES - 1) * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &less), 0);
    CHECK_EQUAL(dmx_exchange_pages(&less, &of_a), 0);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &none), 0);
    CHECK_EQUAL(dmx_exchange_pages(&none, &of_a), 0);
    CHECK_EQUAL(frame_of(a), frame);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

/* Pages of another kind (here: with other advice) stay where they are: the flags would go with them. */
static void test_other_flags_stay_apart(void) {
    enum { PAGES = 32 };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE);
    char *apart = map(page, PROT_NONE);
    uint64_t *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    CHECK(madvise(b, PAGES * page, MADV_DONTDUMP) == 0);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), 0);
    CHECK(madvise(a, PAGES * page, MADV_DONTDUMP) == 0);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), PAGES);
    (void)munmap(apart, page);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_the_gate(void *nothing) {
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return nothing;
}

static void test_another_thread_forbids_it(void) {
    enum { PAGES = 32 };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE), *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    pthread_t other;
    (void)pthread_mutex_lock(&gate);
    REQUIRE(pthread_create(&other, NULL, wait_at_the_gate, NULL) == 0);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), 0);
    (void)pthread_mutex_unlock(&gate);
    (void)pthread_join(other, NULL);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

/* KiB of huge pages in the mapping that holds `address`. */
static unsigned long huge_kib(const void *address) {
    FILE *file = fopen("/proc/self/smaps", "re");
    REQUIRE(file != NULL);
    char line[512];
    unsigned long begin = 0, end = 0, kib = 0, found = 0;
    bool inside = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) {
            inside = begin <= (uintptr_t)address && (uintptr_t)address < end;
        } else if (inside && sscanf(line, "AnonHugePages: %lu", &kib) == 1) {
            found = kib;
        }
    }
    (void)fclose(file);
    return found;
}

static char *map_huge(size_t bytes, char **base) {
    *base = map(bytes + HUGE_BYTES, PROT_NONE);
    char *aligned = *base + (HUGE_BYTES - (uintptr_t)*base % HUGE_BYTES) % HUGE_BYTES;
    CHECK(mprotect(aligned, bytes, PROT_READ | PROT_WRITE) == 0);
    (void)madvise(aligned, bytes, MADV_HUGEPAGE);
    fill((uint64_t *)aligned, bytes);
    return aligned;
}

static void test_huge_pages_stay_whole(void) {
    enum { BYTES = 3 * HUGE_BYTES };
    char *bases[2];
    char *a = map_huge(BYTES, &bases[0]), *b = map_huge(BYTES, &bases[1]);
    const unsigned long before = huge_kib(a);
    uint64_t *kept = malloc(2 * BYTES);
    REQUIRE(kept != NULL);
    memcpy(kept, a, BYTES);
    memcpy(kept + BYTES / 8, b, BYTES);
    const uint64_t frame_a = frame_of(a), frame_b = frame_of(b);
    /* The spans are not aligned, as those of an arm seldom are: the part of a huge page stays. */
    const dmx_memory of_a = span(a, BYTES), of_b = span(b - page, BYTES + page);
    const size_t exchanged = dmx_exchange_pages(&of_a, &of_b);
    if (before == BYTES >> 10 && huge_kib(b) == before) {
        CHECK_EQUAL(exchanged, BYTES / page);
        CHECK_EQUAL(frame_of(a), frame_b);
        CHECK_EQUAL(frame_of(b), frame_a);
    } else {
        test_skip("huge pages", "this kernel gave none, or only some");
    }
    CHECK_EQUAL(huge_kib(a), before);
    CHECK(memcmp(kept, a, BYTES) == 0);
    CHECK(memcmp(kept + BYTES / 8, b, BYTES) == 0);
    (void)munmap(bases[0], BYTES + HUGE_BYTES);
    (void)munmap(bases[1], BYTES + HUGE_BYTES);
    free(kept);
}

/* What malloc gave, small and large, of two arms that were set up one after the other; used and freed afterwards. */
static void test_what_malloc_gave(void) {
    enum { BLOCKS = 3000 };
    static dmx_memory memory[2], before;
    static unsigned char *blocks[2][BLOCKS];
    static size_t sizes[2][BLOCKS];
    for (int side = 0; side < 2; side++) {
        dmx_memory_read(&before);
        for (size_t i = 0; i < BLOCKS; i++) {
            sizes[side][i] = i == 7 ? 1000000 : 1 + test_random_below(&seeded, 900);
            blocks[side][i] = malloc(sizes[side][i]);
            REQUIRE(blocks[side][i] != NULL);
            memset(blocks[side][i], (int)(i * 2 + (size_t)side), sizes[side][i]);
        }
        dmx_memory_read(&memory[side]);
        dmx_memory_since(&memory[side], &before);
    }
    CHECK(dmx_exchange_pages(&memory[0], &memory[1]) >= 1000000 / page);
    for (int side = 0; side < 2; side++) {
        size_t wrong = 0;
        for (size_t i = 0; i < BLOCKS; i++) {
            for (size_t k = 0; k < sizes[side][i]; k++) {
                wrong += blocks[side][i][k] != (unsigned char)(i * 2 + (size_t)side);
            }
            blocks[side][i] = realloc(blocks[side][i], sizes[side][i] * 3);
            REQUIRE(blocks[side][i] != NULL);
            wrong += blocks[side][i][0] != (unsigned char)(i * 2 + (size_t)side);
        }
        CHECK_EQUAL(wrong, 0);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            free(blocks[side][i]);
        }
    }
}

int main(void) {
    page = (size_t)sysconf(_SC_PAGESIZE);
    test_since();
    test_read();
    test_exchange();
    test_unequal_sides_with_holes();
    test_too_few_to_gain();
    test_other_flags_stay_apart();
    test_another_thread_forbids_it();
    test_huge_pages_stay_whole();
    test_what_malloc_gave();
    return test_report();
}
