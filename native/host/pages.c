/* pages.c: see pages.h. Read dmx_exchange_pages() first.
 *
 * Everything here lies in static memory or on the stack: while two runs of pages change places, their addresses are nobody's, and an array
 * of ours in the heap could be among them. */
#include "pages.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RUNS = 4096,
    HUGE_BYTES = 2 << 20,
    LINE = 4608, /* a path of PATH_MAX and what stands before it */
    ENTRIES = 512,
};

/* Pages that lie side by side and are all there. Only runs of one kind may be exchanged: the flags go with the pages. */
typedef struct page_run {
    uintptr_t begin;
    size_t pages;
    uint64_t kind;
} page_run;

typedef struct page_runs {
    size_t count;
    page_run runs[RUNS];
} page_runs;

typedef struct mapping {
    uintptr_t begin, end;
    bool ours;     /* private, writable, of no file, no stack */
    bool huge;     /* holds huge pages */
    uint64_t kind; /* of its flags; odd: `huge` */
} mapping;

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- what /proc tells ---- */

static bool parse_mapping(const char *line, mapping *found) {
    unsigned long begin, end, inode;
    char permissions[5] = "";
    int name = 0;
    if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu %n", &begin, &end, permissions, &inode, &name) != 4) {
        return false;
    }
    const char *text = line + name;
    const bool named = text[0] == '[' && strncmp(text, "[heap]", 6) != 0 && strncmp(text, "[anon:", 6) != 0;
    *found = (mapping){.begin = begin, .end = end, .ours = strcmp(permissions, "rw-p") == 0 && inode == 0 && !named};
    return true;
}

void dmx_memory_read(dmx_memory *memory) {
    memory->count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    if (file == NULL) {
        return;
    }
    static char line[LINE];
    mapping found;
    while (fgets(line, sizeof line, file) != NULL && memory->count < DMX_SPANS) {
        if (parse_mapping(line, &found) && found.ours) {
            memory->spans[memory->count++] = (dmx_span){found.begin, found.end};
        }
    }
    (void)fclose(file);
}

void dmx_memory_since(dmx_memory *memory, const dmx_memory *before) {
    static dmx_memory left;
    left.count = 0;
    for (size_t i = 0; i < memory->count; i++) {
        uintptr_t begin = memory->spans[i].begin;
        const uintptr_t end = memory->spans[i].end;
        for (size_t k = 0; k <= before->count; k++) {
            /* Up to the next span that was there, and behind it on; after the last one, up to the end. */
            const uintptr_t stop = k < before->count ? before->spans[k].begin : end;
            if (begin < end && stop > begin && left.count < DMX_SPANS) {
                left.spans[left.count++] = (dmx_span){begin, stop < end ? stop : end};
            }
            if (k < before->count && before->spans[k].end > begin) {
                begin = before->spans[k].end;
            }
        }
    }
    *memory = left;
}

static bool single_thread(void) {
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return false;
    }
    static char line[LINE];
    unsigned long threads = 0;
    while (threads == 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Threads: %lu", &threads);
    }
    (void)fclose(file);
    return threads == 1;
}

/* Of the flags of a mapping (VmFlags of smaps), but for "sd": that it was written to is no property of its own. */
static uint64_t hash_of(const char *flags) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = flags; *c != '\0'; c++) {
        if (c[0] == 's' && c[1] == 'd') {
            c++;
        } else if (*c != ' ' && *c != '\n') {
            hash = (hash ^ (uint64_t)(unsigned char)*c) * 0x100000001b3u;
        }
    }
    return hash;
}

/* ---- the pages of an arm that can be exchanged ---- */

/* Longer by `bytes` at `page`, if that is where the run ends. */
static bool extend(page_run *run, uintptr_t page, size_t bytes) {
    const size_t size = page_bytes();
    const bool follows = run->begin + run->pages * size == page;
    run->pages += follows ? bytes / size : 0;
    return follows;
}

/* What pagemap says of the pages from `first` on; read in pieces, because a call for each page would take longer than the exchange. */
typedef struct page_facts {
    int descriptor;
    uintptr_t first; /* 0: nothing read yet */
    uint64_t entries[ENTRIES];
} page_facts;

static uint64_t fact_of(page_facts *facts, uintptr_t page) {
    if (facts->first == 0 || page < facts->first || page - facts->first >= ENTRIES) {
        facts->first = page;
        memset(facts->entries, 0, sizeof facts->entries); /* what cannot be read counts as not there */
        (void)!pread(facts->descriptor, facts->entries, sizeof facts->entries, (off_t)(page * sizeof *facts->entries));
    }
    return facts->entries[page - facts->first];
}

/* Whether all pages from `begin` on are there and of no file: a hole would become memory by being exchanged. */
static bool present(page_facts *facts, uintptr_t begin, size_t pages) {
    for (size_t i = 0; i < pages; i++) {
        const uint64_t fact = fact_of(facts, begin / page_bytes() + i);
        const bool is_present = (fact >> 63 & 1) != 0, of_file = (fact >> 61 & 1) != 0;
        if (!is_present || of_file) {
            return false;
        }
    }
    return true;
}

/* The pages of `memory` inside of one mapping, which a run must not leave: mremap moves parts of one only. Huge pages by the whole: a part
 * would have to be split. */
static void add_mapping(page_runs *runs, const dmx_memory *memory, const mapping *found, page_facts *facts) {
    const size_t unit = found->huge ? HUGE_BYTES : page_bytes(), first = runs->count;
    for (size_t i = 0; i < memory->count; i++) {
        const dmx_span span = memory->spans[i];
        const uintptr_t begin = span.begin > found->begin ? span.begin : found->begin;
        const uintptr_t end = span.end < found->end ? span.end : found->end;
        for (uintptr_t at = (begin + unit - 1) / unit * unit; at < end && end - at >= unit; at += unit) {
            const size_t pages = unit / page_bytes();
            if (!present(facts, at, pages)) {
                continue;
            }
            const bool longer = runs->count > first && extend(&runs->runs[runs->count - 1], at, unit);
            if (!longer && runs->count < RUNS) {
                runs->runs[runs->count++] = (page_run){at, pages, found->kind};
            }
        }
    }
}

/* Bytes of all places for huge pages between two addresses. */
static size_t huge_room(uintptr_t begin, uintptr_t end) {
    const uintptr_t first = (begin + HUGE_BYTES - 1) / HUGE_BYTES, last = end / HUGE_BYTES;
    return first < last ? (last - first) * HUGE_BYTES : 0;
}

/* Every mapping with its flags, from smaps: the flags are the last line of each. */
static void collect(page_runs *of_a, const dmx_memory *a, page_runs *of_b, const dmx_memory *b) {
    of_a->count = of_b->count = 0;
    FILE *file = fopen("/proc/self/smaps", "re");
    static page_facts facts;
    facts.descriptor = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    facts.first = 0;
    static char line[LINE];
    mapping now = {0};
    while (file != NULL && facts.descriptor >= 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned long kib = 0;
        if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1) {
            now.huge = kib > 0;
            /* Huge here and small there: which is which nobody tells, and huge pages must not be given for small ones. */
            now.ours = now.ours && (kib == 0 || kib << 10 == huge_room(now.begin, now.end));
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            now.kind = (hash_of(line + 8) & ~UINT64_C(1)) | now.huge;
            if (now.ours) {
                add_mapping(of_a, a, &now, &facts);
                add_mapping(of_b, b, &now, &facts);
            }
        } else {
            (void)parse_mapping(line, &now);
        }
    }
    if (facts.descriptor >= 0) {
        (void)close(facts.descriptor);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* ---- the exchange ---- */

/* Volatile, a word at a time: the compiler may not call memcpy, which sanitizers watch and which knows nothing of other people's red zones. */
#if defined(__GNUC__)
__attribute__((no_sanitize("address", "thread")))
#endif
static void exchange_contents(uintptr_t a, uintptr_t b, size_t bytes) {
    volatile uint64_t *x = (volatile uint64_t *)a, *y = (volatile uint64_t *)b;
    for (size_t i = 0; i < bytes / sizeof *x; i++) {
        const uint64_t left = x[i], right = y[i];
        if (left != right) {
            x[i] = right;
            y[i] = left;
        }
    }
}

/* Moves the pages at `from` to `to`, which they replace. */
static bool move(uintptr_t from, uintptr_t to, size_t bytes) {
    return mremap((void *)from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) != MAP_FAILED;
}

/* One run against another of the same length. False: nothing was changed. */
static bool exchange_run(uintptr_t a, uintptr_t b, size_t bytes) {
    /* A place between: huge pages stay whole only when they come to lie at a multiple of their size. */
    char *room = mmap(NULL, bytes + HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return false;
    }
    const uintptr_t between = ((uintptr_t)room + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    bool done = move(a, between, bytes);
    if (done && !move(b, a, bytes)) {
        done = false;
        if (!move(between, a, bytes)) {
            abort(); /* the arm has lost its memory; the crash handler says where */
        }
    } else if (done && !move(between, b, bytes)) {
        abort();
    }
    (void)munmap(room, bytes + HUGE_BYTES);
    if (done) {
        exchange_contents(a, b, bytes);
    }
    return done;
}

/* The next page of `kind` at or behind run *index. */
static bool seek(const page_runs *runs, size_t *index, uint64_t kind) {
    while (*index < runs->count && runs->runs[*index].kind != kind) {
        (*index)++;
    }
    return *index < runs->count;
}

/* Walks both lists side by side, all pages of one kind; `apply`: or only counts. Returns pages. */
static size_t exchange_kind(const page_runs *a, const page_runs *b, uint64_t kind, size_t most, bool apply) {
    size_t i = 0, k = 0, i_done = 0, k_done = 0, total = 0;
    const size_t size = page_bytes(), unit = (kind & 1) != 0 ? HUGE_BYTES / size : 1;
    most -= most % unit;
    while (total < most && seek(a, &i, kind) && seek(b, &k, kind)) {
        const page_run *x = &a->runs[i], *y = &b->runs[k];
        size_t pages = x->pages - i_done < y->pages - k_done ? x->pages - i_done : y->pages - k_done;
        pages = pages < most - total ? pages : most - total;
        if (apply && !exchange_run(x->begin + i_done * size, y->begin + k_done * size, pages * size)) {
            break;
        }
        total += pages;
        i_done += pages;
        k_done += pages;
        if (i_done == x->pages) {
            i++;
            i_done = 0;
        }
        if (k_done == y->pages) {
            k++;
            k_done = 0;
        }
    }
    return total;
}

static size_t exchange_all(const page_runs *a, const page_runs *b, bool apply) {
    const size_t most = DMX_EXCHANGE_MOST / page_bytes();
    size_t total = 0;
    for (size_t i = 0; i < a->count && total < most; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) {
            seen = a->runs[k].kind == a->runs[i].kind;
        }
        total += seen ? 0 : exchange_kind(a, b, a->runs[i].kind, most - total, apply);
    }
    return total;
}

size_t dmx_exchange_pages(const dmx_memory *a, const dmx_memory *b) {
    static page_runs of_a, of_b;
    if (!single_thread()) {
        return 0;
    }
    collect(&of_a, a, &of_b, b);
    return exchange_all(&of_a, &of_b, false) < DMX_EXCHANGE_FEWEST ? 0 : exchange_all(&of_a, &of_b, true);
}
