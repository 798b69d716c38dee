/* test_pages.c: whose memory it is, and that an exchange moves pages and no contents. What moved is read from the kernel's own table of
 * physical pages, where this process may (root); otherwise contents and counts alone are checked. */
#include "host/pages.h"
#include "tests/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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
    dmx_memory made = {.known = true};
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

static void test_what_is_not_known_stays_unknown(void) {
    const dmx_memory some = random_spans(5, 100), unknown = {0};
    dmx_memory left = some;
    dmx_memory_since(&left, &unknown);
    CHECK(!left.known && left.count == 0);
    left = unknown;
    dmx_memory_since(&left, &some);
    CHECK(!left.known && left.count == 0);
    /* More pieces than there is room for: every span is cut in two. */
    dmx_memory many = {.known = true, .count = DMX_SPANS}, middles = many;
    for (size_t i = 0; i < DMX_SPANS; i++) {
        many.spans[i] = (dmx_span){10 * i, 10 * i + 9};
        middles.spans[i] = (dmx_span){10 * i + 4, 10 * i + 5};
    }
    left = many;
    dmx_memory_since(&left, &middles);
    CHECK(!left.known && left.count == 0);
    middles.count = DMX_SPANS / 2;
    many.count = DMX_SPANS / 2;
    left = many;
    dmx_memory_since(&left, &middles);
    CHECK(left.known && left.count == DMX_SPANS);
}

static void test_more_mappings_than_there_is_room_for(void) {
    enum { PIECES = DMX_SPANS + 8 };
    static dmx_memory memory;
    char *whole = map((size_t)PIECES * 2 * page, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < PIECES; i++) {
        whole[2 * i * page] = 1;
    }
    dmx_memory_read(&memory);
    CHECK(!memory.known && memory.count == 0);
    (void)munmap(whole, (size_t)PIECES * 2 * page);
    dmx_memory_read(&memory);
    CHECK(memory.known && memory.count > 0);
}

static void test_read(void) {
    static dmx_memory before, now;
    dmx_memory_read(&before);
    char *ours = map(9 * page, PROT_READ | PROT_WRITE); /* the last page is never touched */
    char *reserved = map(8 * page, PROT_NONE);
    char *readable = map(8 * page, PROT_READ);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *of_file = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    REQUIRE(file >= 0 && of_file != MAP_FAILED);
    char *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    char on_stack = 0;
    memset(ours, 1, 8 * page);
    memset(of_file, 1, page);
    memset(shared, 1, page);
    dmx_memory_read(&now);
    CHECK(holds(&now, (uintptr_t)ours) && holds(&now, (uintptr_t)ours + 8 * page - 1));
    CHECK(!holds(&now, (uintptr_t)ours + 8 * page));
    CHECK(!holds(&now, (uintptr_t)reserved) && !holds(&now, (uintptr_t)readable) && !holds(&now, (uintptr_t)of_file));
    CHECK(!holds(&now, (uintptr_t)shared) && !holds(&now, (uintptr_t)&on_stack));
    dmx_memory_since(&now, &before);
    CHECK(holds(&now, (uintptr_t)ours) && !holds(&before, (uintptr_t)ours));
    (void)munmap(ours, 9 * page);
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
    return (dmx_memory){.known = true, .count = 1, .spans = {{(uintptr_t)begin, (uintptr_t)begin + bytes}}};
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

/* Pages that were only ever read stand for the kernel's one page of zeros: they are no memory, and must not become it. */
static void test_the_page_of_zeros_is_no_memory(void) {
    enum { PAGES = 64 };
    volatile char *a = map(PAGES * page, PROT_READ | PROT_WRITE);
    uint64_t *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    int sum = 0;
    for (size_t i = 0; i < PAGES; i++) {
        sum += a[i * page];
    }
    fill(b, PAGES * page);
    CHECK_EQUAL(sum, 0);
    const dmx_memory of_a = span((const void *)a, PAGES * page), of_b = span(b, PAGES * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), 0);
    (void)munmap((void *)a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

/* Memory that was given up may vanish at any moment; whose contents it has by then does not matter to the kernel. */
static void test_memory_that_was_given_up_is_left_alone(void) {
    enum { PAGES = 64 };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE);
    char *apart = map(page, PROT_NONE);
    uint64_t *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    if (madvise(a, PAGES * page, MADV_FREE) == 0) {
        CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), 0);
    } else {
        test_skip("memory that was given up", "this kernel has no MADV_FREE");
    }
    (void)munmap(apart, page);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

/* Only a process of one piece of memory in a hundred mappings would do: mremap for every page is no exchange any more. */
static void test_memory_in_too_many_pieces_is_left_alone(void) {
    enum { PIECES = DMX_EXCHANGE_STEPS + 1 };
    for (size_t pieces = PIECES - 1; pieces <= PIECES; pieces++) {
        char *a = map(2 * pieces * page, PROT_READ | PROT_WRITE);
        char *apart = map(page, PROT_NONE);
        char *b = map(2 * pieces * page, PROT_READ | PROT_WRITE);
        for (size_t i = 0; i < pieces; i++) {
            a[2 * i * page] = (char)i;
            b[2 * i * page] = (char)(i + 1);
        }
        const dmx_memory of_a = span(a, 2 * pieces * page), of_b = span(b, 2 * pieces * page);
        CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), pieces == PIECES ? 0 : pieces);
        size_t wrong = 0;
        for (size_t i = 0; i < pieces; i++) {
            wrong += a[2 * i * page] != (char)i || b[2 * i * page] != (char)(i + 1);
        }
        CHECK_EQUAL(wrong, 0);
        (void)munmap(apart, page);
        (void)munmap(a, 2 * pieces * page);
        (void)munmap(b, 2 * pieces * page);
    }
}

/* Two kinds of flags on either side, the second of them in other places: each goes with its like. */
static void test_kinds_go_with_their_like(void) {
    enum { PAGES = 40, OTHER = 20 };
    char *a = map(PAGES * page, PROT_READ | PROT_WRITE);
    char *apart = map(page, PROT_NONE);
    char *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    CHECK(madvise(a, OTHER * page, MADV_DONTDUMP) == 0);
    CHECK(madvise(b + (PAGES - OTHER) * page, OTHER * page, MADV_DONTDUMP) == 0);
    fill((uint64_t *)a, PAGES * page);
    fill((uint64_t *)b, PAGES * page);
    const uint64_t frame = frame_of(a);
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), PAGES);
    CHECK_EQUAL(frame_of(b + (PAGES - OTHER) * page), frame);
    (void)munmap(apart, page);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
}

/* Entries of a folder, or lines of a file; looked at in this process, for a child would add files of its own. */
static size_t entries_of(const char *path) {
    size_t count = 0;
    DIR *folder = opendir(path);
    if (folder != NULL) {
        while (readdir(folder) != NULL) {
            count++;
        }
        (void)closedir(folder);
        return count;
    }
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    for (int read = fgetc(file); read != EOF; read = fgetc(file)) {
        count += read == '\n';
    }
    (void)fclose(file);
    return count;
}

/* Nothing is left open, and no mapping of the exchange's own stays. */
static void test_nothing_is_left_behind(void) {
    enum { PAGES = 64 };
    uint64_t *a = map(PAGES * page, PROT_READ | PROT_WRITE), *b = map(PAGES * page, PROT_READ | PROT_WRITE);
    fill(a, PAGES * page);
    fill(b, PAGES * page);
    const dmx_memory of_a = span(a, PAGES * page), of_b = span(b, PAGES * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), PAGES);
    const char *files = "/proc/self/fd", *mappings = "/proc/self/maps";
    (void)entries_of(mappings); /* what reading needs is there from now on */
    const size_t open_before = entries_of(files), mapped_before = entries_of(mappings);
    sigset_t before, after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &before) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), PAGES);
    }
    CHECK(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK_EQUAL(entries_of(files), open_before);
    CHECK_EQUAL(entries_of(mappings), mapped_before);
    (void)munmap(a, PAGES * page);
    (void)munmap(b, PAGES * page);
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
    const dmx_memory enough = span(b, PAGES * page);
    CHECK_EQUAL(dmx_exchange_pages(&of_a, &enough), PAGES);
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

/* KiB of huge pages in the mappings that have a part of these bytes. */
static unsigned long huge_kib(const void *address, size_t bytes) {
    FILE *file = fopen("/proc/self/smaps", "re");
    REQUIRE(file != NULL);
    char line[512];
    unsigned long begin = 0, end = 0, kib = 0, found = 0;
    bool inside = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) {
            inside = begin < (uintptr_t)address + bytes && (uintptr_t)address < end;
        } else if (inside && sscanf(line, "AnonHugePages: %lu", &kib) == 1) {
            found += kib;
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
    const unsigned long before[2] = {huge_kib(a, BYTES), huge_kib(b, BYTES)};
    uint64_t *kept = malloc(2 * BYTES);
    REQUIRE(kept != NULL);
    memcpy(kept, a, BYTES);
    memcpy(kept + BYTES / 8, b, BYTES);
    const uint64_t frame_a = frame_of(a), frame_b = frame_of(b + HUGE_BYTES);
    /* The span of b is not aligned, as that of an arm seldom is: the part of a huge page stays, and the second of b goes with the first of a. */
    const dmx_memory of_a = span(a, BYTES), of_b = span(b + page, BYTES - page);
    const size_t exchanged = dmx_exchange_pages(&of_a, &of_b);
    if (before[0] == BYTES >> 10 && before[1] == BYTES >> 10) {
        CHECK_EQUAL(exchanged, (BYTES - HUGE_BYTES) / page);
        CHECK_EQUAL(frame_of(a), frame_b);
        CHECK_EQUAL(frame_of(b + HUGE_BYTES), frame_a);
    } else {
        test_skip("huge pages", "this kernel gave none, or only some");
    }
    CHECK_EQUAL(huge_kib(a, BYTES), before[0]);
    CHECK_EQUAL(huge_kib(b, BYTES), before[1]);
    CHECK(memcmp(kept, a, BYTES) == 0);
    CHECK(memcmp(kept + BYTES / 8, b, BYTES) == 0);
    (void)munmap(bases[0], BYTES + HUGE_BYTES);
    (void)munmap(bases[1], BYTES + HUGE_BYTES);
    free(kept);
}

/* Huge in part: nobody tells which part, so nothing moves. */
static void test_partly_huge_memory_is_left_alone(void) {
    enum { BYTES = 3 * HUGE_BYTES };
    char *bases[2];
    char *a = map_huge(BYTES, &bases[0]), *b = map_huge(BYTES, &bases[1]);
    CHECK(madvise(a + HUGE_BYTES, page, MADV_DONTNEED) == 0); /* splits one */
    const dmx_memory of_a = span(a, BYTES), of_b = span(b, BYTES);
    if (huge_kib(a, BYTES) > 0 && huge_kib(a, BYTES) < BYTES >> 10) {
        CHECK_EQUAL(dmx_exchange_pages(&of_a, &of_b), 0);
    } else {
        test_skip("partly huge memory", "this kernel gave none");
    }
    (void)munmap(bases[0], BYTES + HUGE_BYTES);
    (void)munmap(bases[1], BYTES + HUGE_BYTES);
}

/* Set-ups free what they needed for a while, and malloc gives it to whoever comes next. What is exchanged must be what lives on both sides. */
static void test_set_ups_that_free_temporaries(void) {
    enum { BLOCKS = 4096, BLOCK = 1000 };
    static dmx_memory memory[2], before;
    static char *blocks[2][BLOCKS];
    static uint64_t frames[2][BLOCKS];
    for (int side = 0; side < 2; side++) {
        dmx_memory_read(&before);
        char *temporary = malloc(8 << 20);
        REQUIRE(temporary != NULL);
        memset(temporary, 1, 8 << 20);
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[side][i] = malloc(BLOCK);
            REQUIRE(blocks[side][i] != NULL);
            memset(blocks[side][i], side + 1, BLOCK);
        }
        free(temporary);
        dmx_memory_read(&memory[side]);
        dmx_memory_since(&memory[side], &before);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            frames[side][i] = frame_of(blocks[side][i]);
        }
    }
    CHECK(dmx_exchange_pages(&memory[0], &memory[1]) >= BLOCKS * BLOCK / page * 8 / 10);
    for (int side = 0; side < 2; side++) {
        size_t moved = 0, wrong = 0;
        for (size_t i = 0; i < BLOCKS; i++) {
            moved += frame_of(blocks[side][i]) != frames[side][i];
            wrong += blocks[side][i][0] != side + 1 || blocks[side][i][BLOCK - 1] != side + 1;
        }
        CHECK_EQUAL(wrong, 0);
        if (frames[side][0] == 0) {
            test_skip("which blocks moved", "this kernel names physical pages to root only");
        } else {
            CHECK(moved >= (size_t)BLOCKS * 8 / 10);
        }
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            free(blocks[side][i]);
        }
    }
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
    test_what_is_not_known_stays_unknown();
    test_read();
    test_more_mappings_than_there_is_room_for();
    test_exchange();
    test_unequal_sides_with_holes();
    test_the_page_of_zeros_is_no_memory();
    test_memory_that_was_given_up_is_left_alone();
    test_memory_in_too_many_pieces_is_left_alone();
    test_kinds_go_with_their_like();
    test_nothing_is_left_behind();
    test_too_few_to_gain();
    test_other_flags_stay_apart();
    test_another_thread_forbids_it();
    test_huge_pages_stay_whole();
    test_partly_huge_memory_is_left_alone();
    test_what_malloc_gave();
    test_set_ups_that_free_temporaries();
    return test_report();
}
