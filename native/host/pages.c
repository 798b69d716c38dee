/* pages.c: see pages.h. Read dmx_exchange_pages() first.
 *
 * Everything here lies in static memory or on the stack: while two runs of pages change places, their addresses are nobody's, and an array
 * of ours in the heap could be among them. */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    RUNS = 4096,
    HUGE_BYTES = 2 << 20,
    LINE = 4608, /* a path of PATH_MAX and what stands before it */
    ENTRIES = 512,
    SCAN_PIECES = 1 << 14, /* of ENTRIES pages, together 32 GiB of addresses: reservations may be vast and empty */
    VAST_SHIFT = 35,       /* a mapping of 32 GiB and more is a reservation, no memory */
    MAPPINGS_A_STEP = 4,   /* that an exchanged run adds at most */
    MAPPINGS_SPARE = 1024,
};

/* Pages that lie side by side and are all there. Only runs of one kind may be exchanged: the flags go with the pages. */
typedef struct page_run {
    uintptr_t begin;
    size_t pages;
    uint64_t kind;
} page_run;

typedef struct page_runs {
    size_t count;
    size_t bytes;
    bool overflowed;
    page_run runs[RUNS];
} page_runs;

typedef struct mapping {
    uintptr_t begin, end;
    bool ours;     /* private, writable, of no file, no stack */
    bool huge;     /* holds huge pages, and nothing else where one fits */
    uint64_t kind; /* of its flags; odd: `huge` */
} mapping;

static size_t page_bytes(void) {
    static size_t bytes;
    if (bytes == 0) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
    }
    return bytes;
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
    const bool vast = (end - begin) >> VAST_SHIFT != 0;
    *found = (mapping){.begin = begin, .end = end, .ours = strcmp(permissions, "rw-p") == 0 && inode == 0 && !named && !vast};
    return true;
}

/* What pagemap says of the pages from `first` on; read in pieces, because a call for each page would take longer than the exchange. */
typedef struct page_facts {
    int descriptor;
    uintptr_t first; /* 0: nothing read yet */
    size_t left;     /* pieces that may still be read */
    uint64_t entries[ENTRIES];
} page_facts;

static uint64_t fact_of(page_facts *facts, uintptr_t page) {
    if (facts->first == 0 || page < facts->first || page - facts->first >= ENTRIES) {
        facts->first = page;
        memset(facts->entries, 0, sizeof facts->entries); /* what cannot be read counts as not there */
        if (facts->left > 0) {
            facts->left--;
            (void)!pread(facts->descriptor, facts->entries, sizeof facts->entries, (off_t)(page * sizeof *facts->entries));
        }
    }
    return facts->entries[page - facts->first];
}

/* Whether all pages from `begin` on are there, of no file, and mapped here alone: a hole, or the kernel's page of zeros in its place, would
 * become memory by being exchanged. */
static bool present(page_facts *facts, uintptr_t begin, size_t pages) {
    for (size_t i = 0; i < pages; i++) {
        const uint64_t fact = fact_of(facts, begin / page_bytes() + i);
        const bool is_present = (fact >> 63 & 1) != 0, of_file = (fact >> 61 & 1) != 0, alone = (fact >> 56 & 1) != 0;
        if (!is_present || of_file || !alone) {
            return false;
        }
    }
    return true;
}

static void open_facts(page_facts *facts) {
    facts->descriptor = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    facts->first = 0;
    facts->left = SCAN_PIECES;
}

/* The pages of one mapping that are there. False: there is no room for more. */
static bool add_spans(dmx_memory *memory, const mapping *found, page_facts *facts) {
    const size_t size = page_bytes(), first = memory->count;
    for (uintptr_t at = found->begin; at < found->end && facts->left > 0; at += size) {
        if (!present(facts, at, 1)) {
            continue;
        }
        if (memory->count > first && memory->spans[memory->count - 1].end == at) {
            memory->spans[memory->count - 1].end = at + size;
        } else if (memory->count < DMX_SPANS) {
            memory->spans[memory->count++] = (dmx_span){at, at + size};
        } else {
            return false;
        }
    }
    return facts->left > 0;
}

void dmx_memory_read(dmx_memory *memory) {
    memory->known = false;
    memory->count = 0;
    (void)malloc_trim(0);
    static page_facts facts;
    open_facts(&facts);
    FILE *file = fopen("/proc/self/maps", "re");
    static char line[LINE];
    mapping found;
    bool fits = file != NULL && facts.descriptor >= 0;
    while (fits && fgets(line, sizeof line, file) != NULL) {
        fits = !parse_mapping(line, &found) || !found.ours || add_spans(memory, &found, &facts);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (facts.descriptor >= 0) {
        (void)close(facts.descriptor);
    }
    memory->known = fits;
    memory->count = fits ? memory->count : 0;
}

void dmx_memory_since(dmx_memory *memory, const dmx_memory *before) {
    static dmx_memory left;
    left.count = 0;
    left.known = memory->known && before->known;
    for (size_t i = 0; left.known && i < memory->count; i++) {
        uintptr_t begin = memory->spans[i].begin;
        const uintptr_t end = memory->spans[i].end;
        for (size_t k = 0; k <= before->count; k++) {
            /* Up to the next span that was there, and behind it on; after the last one, up to the end. */
            const uintptr_t stop = k < before->count ? before->spans[k].begin : end;
            if (begin < end && stop > begin) {
                left.known = left.known && left.count < DMX_SPANS;
                if (left.known) {
                    left.spans[left.count++] = (dmx_span){begin, stop < end ? stop : end};
                }
            }
            if (k < before->count && before->spans[k].end > begin) {
                begin = before->spans[k].end;
            }
        }
    }
    left.count = left.known ? left.count : 0;
    *memory = left;
}

/* One thread, and no page that a device has been told the place of. */
static bool undisturbed(void) {
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return false;
    }
    static char line[LINE];
    unsigned long threads = 0, pinned_kib = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Threads: %lu", &threads);
        (void)sscanf(line, "VmPin: %lu", &pinned_kib);
    }
    (void)fclose(file);
    return threads == 1 && pinned_kib == 0;
}

static size_t mappings_allowed(void) {
    unsigned long most = 65530; /* the kernel's default */
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        (void)!fscanf(file, "%lu", &most);
        (void)fclose(file);
    }
    return most;
}

static uint64_t hash_on(uint64_t hash, uint64_t value) {
    return (hash ^ value) * 0x100000001b3u;
}

/* Of the flags of a mapping (VmFlags of smaps), but for "sd": that it was written to is no property of its own. */
static uint64_t hash_of(const char *flags) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = flags; *c != '\0'; c++) {
        if (c[0] == 's' && c[1] == 'd') {
            c++;
        } else if (*c != ' ' && *c != '\n') {
            hash = hash_on(hash, (uint64_t)(unsigned char)*c);
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

/* The pages of `memory` inside of one mapping, which a run must not leave: mremap moves parts of one only. Huge pages by the whole: a part
 * would have to be split. */
static void add_mapping(page_runs *runs, const dmx_memory *memory, const mapping *found, page_facts *facts) {
    const size_t unit = found->huge ? HUGE_BYTES : page_bytes(), first = runs->count;
    for (size_t i = 0; i < memory->count; i++) {
        const dmx_span span = memory->spans[i];
        const uintptr_t begin = span.begin > found->begin ? span.begin : found->begin;
        const uintptr_t end = span.end < found->end ? span.end : found->end;
        uintptr_t at = (begin + unit - 1) / unit * unit;
        for (; at < end && end - at >= unit && runs->bytes < DMX_EXCHANGE_MOST && facts->left > 0; at += unit) {
            const size_t pages = unit / page_bytes();
            if (!present(facts, at, pages)) {
                continue;
            }
            runs->bytes += unit;
            const bool longer = runs->count > first && extend(&runs->runs[runs->count - 1], at, unit);
            runs->overflowed = runs->overflowed || (!longer && runs->count == RUNS);
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

/* One line of smaps about the mapping `now`. True: it was the last one. */
static bool parse_detail(const char *line, mapping *now) {
    unsigned long number = 0;
    if (sscanf(line, "Rss: %lu kB", &number) == 1) {
        now->ours = now->ours && number > 0;
    } else if (sscanf(line, "LazyFree: %lu kB", &number) == 1) {
        now->ours = now->ours && number == 0; /* the kernel may forget such a page at any moment, whoever's contents it has */
    } else if (sscanf(line, "AnonHugePages: %lu kB", &number) == 1) {
        now->huge = number > 0;
        /* Huge here and small there: which is which nobody tells, and huge pages must not be given for small ones. */
        now->ours = now->ours && (number == 0 || number << 10 == huge_room(now->begin, now->end));
    } else if (sscanf(line, "ProtectionKey: %lu", &number) == 1) {
        now->kind = number;
    } else if (strncmp(line, "VmFlags:", 8) == 0) {
        const char *flags = line + 8;
        now->ours = now->ours && strstr(flags, " mt") == NULL && strstr(flags, " ss") == NULL; /* memory tags, shadow stack */
        now->kind = (hash_on(hash_of(flags), now->kind) & ~UINT64_C(1)) | now->huge;
        return true;
    }
    return false;
}

/* Every mapping with its flags, from smaps. Returns how many mappings there are; 0 where they cannot be read. */
static size_t collect(page_runs *of_a, const dmx_memory *a, page_runs *of_b, const dmx_memory *b) {
    of_a->count = of_b->count = 0;
    of_a->bytes = of_b->bytes = 0;
    of_a->overflowed = of_b->overflowed = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    static page_facts facts;
    open_facts(&facts);
    static char line[LINE];
    mapping now = {0};
    size_t mappings = 0;
    while (file != NULL && facts.descriptor >= 0 && fgets(line, sizeof line, file) != NULL) {
        if (parse_mapping(line, &now)) {
            mappings++;
        } else if (parse_detail(line, &now) && now.ours) {
            add_mapping(of_a, a, &now, &facts);
            add_mapping(of_b, b, &now, &facts);
        }
    }
    if (facts.descriptor >= 0) {
        (void)close(facts.descriptor);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return mappings;
}

/* ---- the exchange ---- */

/* Whether both addresses follow one memory policy (NUMA), as far as the kernel knows any. */
static bool same_policy(uintptr_t a, uintptr_t b) {
    enum { BITS = 1024, WORD_BITS = 64, OF_ADDRESS = 2 }; /* MPOL_F_ADDR of numaif.h, which is a package of its own */
    uint64_t nodes[2][BITS / WORD_BITS] = {{0}};
    int modes[2] = {0, 0};
    if (syscall(SYS_get_mempolicy, &modes[0], nodes[0], (unsigned long)BITS, (void *)a, OF_ADDRESS) != 0 ||
        syscall(SYS_get_mempolicy, &modes[1], nodes[1], (unsigned long)BITS, (void *)b, OF_ADDRESS) != 0) {
        return true; /* a kernel without them */
    }
    return modes[0] == modes[1] && memcmp(nodes[0], nodes[1], sizeof nodes[0]) == 0;
}

/* Volatile, a word at a time: the compiler may not call memcpy, which sanitizers watch and which knows nothing of other people's red zones.
 * Equal pages are written to as well, because a page that nobody wrote to since it was given up (MADV_FREE) may still vanish. */
#if defined(__GNUC__)
__attribute__((no_sanitize("address", "thread")))
#endif
static void exchange_contents(uintptr_t a, uintptr_t b, size_t bytes) {
    volatile uint64_t *x = (volatile uint64_t *)a, *y = (volatile uint64_t *)b;
    const size_t words = page_bytes() / sizeof *x;
    for (size_t i = 0; i < bytes / sizeof *x; i++) {
        const uint64_t left = x[i], right = y[i];
        if (left != right || i % words == 0) {
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

/* What an exchange is going to be, or was. */
typedef struct tally {
    size_t pages;
    size_t steps;
    bool refused;
} tally;

/* The next page of `kind` at or behind run *index. */
static bool seek(const page_runs *runs, size_t *index, uint64_t kind) {
    while (*index < runs->count && runs->runs[*index].kind != kind) {
        (*index)++;
    }
    return *index < runs->count;
}

/* Walks both lists side by side, all pages of one kind; `apply`: or only counts. */
static void exchange_kind(const page_runs *a, const page_runs *b, uint64_t kind, bool apply, tally *told) {
    size_t i = 0, k = 0, i_done = 0, k_done = 0;
    const size_t size = page_bytes();
    while (!told->refused && seek(a, &i, kind) && seek(b, &k, kind)) {
        const page_run *x = &a->runs[i], *y = &b->runs[k];
        const uintptr_t from = x->begin + i_done * size, to = y->begin + k_done * size;
        const size_t pages = x->pages - i_done < y->pages - k_done ? x->pages - i_done : y->pages - k_done;
        told->refused = apply ? !exchange_run(from, to, pages * size) : !same_policy(from, to);
        told->pages += told->refused ? 0 : pages;
        told->steps++;
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
}

static tally exchange_all(const page_runs *a, const page_runs *b, bool apply) {
    tally told = {.refused = a->overflowed || b->overflowed};
    for (size_t i = 0; i < a->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) {
            seen = a->runs[k].kind == a->runs[i].kind;
        }
        if (!seen) {
            exchange_kind(a, b, a->runs[i].kind, apply, &told);
        }
    }
    return told;
}

/* Whether this thread's own variables lie in there: then it is not an arm's. */
static bool holds_ours(const dmx_memory *memory) {
    const uintptr_t own = (uintptr_t)&errno;
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->spans[i].begin <= own && own < memory->spans[i].end) {
            return true;
        }
    }
    return false;
}

size_t dmx_exchange_pages(const dmx_memory *a, const dmx_memory *b) {
    static page_runs of_a, of_b;
    if (!undisturbed() || holds_ours(a) || holds_ours(b)) {
        return 0;
    }
    const size_t mappings = collect(&of_a, a, &of_b, b);
    const tally plan = exchange_all(&of_a, &of_b, false);
    const bool fits = mappings + MAPPINGS_A_STEP * plan.steps + MAPPINGS_SPARE < mappings_allowed();
    if (plan.refused || plan.pages < DMX_EXCHANGE_FEWEST || plan.steps > DMX_EXCHANGE_STEPS || !fits) {
        return 0;
    }
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before); /* a handler could look for what is on its way */
    const size_t exchanged = exchange_all(&of_a, &of_b, true).pages;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return exchanged;
}
